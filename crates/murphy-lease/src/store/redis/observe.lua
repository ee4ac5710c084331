return { left > 0 and 1 or 0, rank, left > 0 and left or 0, high }
