{
  // The smallest elements whose rendered text has this in it.
  find(text) {
    const has = e => e.innerText !== undefined && e.checkVisibility() && e.innerText.replace(/\s+/g, ' ').includes(text);
    return [...document.querySelectorAll('body *')].filter(e => has(e) && ![...e.children].some(has));
  },

  // Whether it is rendered at all, wherever one has to scroll to.
  rendered(text) { return this.find(text).length > 0; },

  // Whether somebody who has just opened the page reads it.
  at_a_glance(text) {
    const told = this.find(text).map(e => this.sight_of(e));
    return told.includes('visible') ? 'visible' : told[0] ?? 'not rendered';
  },

  sight_of(element) {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return 'hidden';
    const range = document.createRange();
    range.selectNodeContents(element);
    const box = range.getBoundingClientRect();
    if (box.width < 10 || box.height < 10) return 'too small';
    if (box.top < 0 || box.left < 0 || box.bottom > innerHeight || box.right > innerWidth + 1) return 'out of sight';
    for (const part of range.getClientRects()) {
      const hit = document.elementFromPoint(part.left + part.width / 2, part.top + part.height / 2);
      if (!hit || !(element.contains(hit) || hit.contains(element))) return 'covered';
    }
    return 'visible';
  },

  scrolls_sideways() { return document.documentElement.scrollWidth > document.documentElement.clientWidth; },

  // Texts with less contrast than 4.5 to 1 to what is behind them.
  hard_to_read() {
    const parse = s => { const n = s.match(/[\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
    const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
    const behind = e => {
      for (; e; e = e.parentElement) {
        const color = parse(getComputedStyle(e).backgroundColor);
        if (color[3] > 0) return color;
      }
      return matchMedia('(prefers-color-scheme: dark)').matches && getComputedStyle(document.documentElement).colorScheme.includes('dark')
        ? [18, 18, 18] : [255, 255, 255];
    };
    const bad = [];
    for (const e of document.querySelectorAll('body *')) {
      const own = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join('');
      if (!own || !e.checkVisibility() || e.closest('title, script, style')) continue;
      // What stands on a bar of its own is left to the picture.
      if (e instanceof SVGElement && !e.closest('svg.run')) continue;
      const style = getComputedStyle(e);
      const ink = light(parse(e instanceof SVGElement ? style.fill : style.color)), paper = light(behind(e));
      const contrast = (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
      if (contrast < 4.5) bad.push(own);
    }
    return bad;
  },

  // Elements that no page of ours has: markup that came from a text.
  foreign_elements() { return document.querySelectorAll('b, i, img, script, iframe, object, embed, link, form, input').length; },

  focused() {
    const e = document.activeElement;
    return e.tagName + (typeof e.className === 'string' && e.className ? '.' + e.className : '');
  },
}
