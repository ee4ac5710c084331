return (left > 0 and '1' or '0') .. rank .. high .. string.format('%.0f', left > 0 and left or 0)
