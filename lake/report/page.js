(async () => {
  'use strict';
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($('data').textContent);
  const specs = JSON.parse($('specs').textContent);
  const DAY = 864e5, MINUTE = 6e4, MONTH = 30, SINGLE = 92, PAPER = 450;
  const origin = Date.parse(`${data.start}T00:00Z`);
  const series = data.series;
  const coarse = matchMedia('(pointer: coarse)').matches;
  const rowHeight = coarse ? 24 : 18; // a finger needs more room

  // figures, written as the tables have them: three significant digits
  const percent = (share) => {
    if (share === null) return '–';
    if (!share) return '0 %';
    const [digits, exponent] = share.toExponential(2).split('e');
    return `${(Number(`${digits}e${exponent}`) * 100).toFixed(Math.max(0, -exponent))} %`;
  };
  const count = (number) => number.toLocaleString('en');
  const plural = (number, one) => `${count(number)} ${one}${number === 1 ? '' : 's'}`;
  const iso = (day) => new Date(origin + day * DAY).toISOString().slice(0, 10);
  const moment = (minute) => new Date(origin + minute * MINUTE).toISOString().slice(0, 16).replace('T', ' ');
  const rate = (one, day) => (one.requests[day] ? one.errors[day] / one.requests[day] : null);
  const events = (one, day) =>
    one.events.filter(([start, end]) => start < (day + 1) * 1440 && (end > day * 1440 || start >= day * 1440));
  const incidents = (one, day) =>
    one.incidents.filter(([start, minutes]) => start < (day + 1) * 1440 && start + minutes > day * 1440);

  const told = (one, day) => {
    const lines = [`${one.label}, ${iso(day)}`];
    const share = rate(one, day);
    if (one.requests[day] === null) lines.push(data.unbuilt.includes(day) ? 'not built' : 'no requests');
    else if (share === null) lines.push('no valid requests');
    else {
      lines.push(`${percent(share)}, 95 % interval ${percent(one.low[day])} to ${percent(one.high[day])}`);
      lines.push(`${count(one.errors[day])} of ${plural(one.requests[day], 'request')} failed`);
      lines.push(`${percent(one.allowed)} may fail: ${data.classes[one.colours[day]]}`);
    }
    if (one.incomplete[day]) lines.push(`incomplete: ${data.texts[one.incomplete[day]]}`);
    else if (one.requests[day] && one.hours[day] < 24) lines.push(`requests in ${one.hours[day]} of 24 hours`);
    for (const [, , text] of events(one, day)) lines.push(text);
    for (const [start, minutes, errors] of incidents(one, day))
      lines.push(`incident ${moment(start)}, ${plural(minutes, 'minute')}: ${plural(errors, 'request')} failed`);
    if (one.revisions[day]) lines.push(`restated: revision ${one.revisions[day]}`);
    if (data.uncounted.includes(day)) lines.push('incidents are not known');
    if (data.otherwise.includes(day)) lines.push('incidents are not sure: error_rate and error_counts don’t agree');
    return lines.join('\n');
  };

  const tip = (text, x, y) => {
    const box = $('tip');
    box.hidden = !text;
    if (!text) return;
    box.textContent = text;
    box.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - box.offsetWidth - 4))}px`;
    const below = y + 16 + box.offsetHeight <= innerHeight;
    box.style.top = `${below ? y + 16 : Math.max(4, y - box.offsetHeight - 12)}px`;
  };

  // The data are given before the first run, or labels are cut off. `ast`: no eval, which the policy forbids.
  const draw = async (element, name, rows, { width, label } = {}) => {
    const spec = structuredClone(specs[name]);
    if (width) spec.width = width;
    if (label) spec.description = label;
    const step = spec.signals?.find((each) => each.name === 'y_step');
    if (step) step.value = rowHeight;
    spec.data.find((each) => each.name === 'rows').values = rows;
    const options = { mode: 'vega', renderer: 'svg', ast: true, actions: false, defaultStyle: false };
    return (await vegaEmbed(element, spec, { ...options, tooltip: false, hover: false, logLevel: 0 })).view;
  };

  // In a long range neighbours of one colour are one mark, which halves the page's elements.
  const cells = () =>
    series.flatMap((one) => {
      const found = [];
      let run = null;
      for (let day = 0; day < data.days; day++) {
        const c = one.colours[day] === '.' ? null : Number(one.colours[day]), f = Boolean(one.incomplete[day]);
        const t = origin + day * DAY, u = t + DAY;
        if (c === null) run = null;
        else if (run && run.c === c && !run.f && !f && data.days > SINGLE) run.u = u;
        else found.push((run = { a: one.label, t, m: t + DAY / 2, u, c, f }));
      }
      return found;
    });
  const points = (one) => {
    const rates = Array.from({ length: data.days }, (_, day) => rate(one, day));
    const none = (day) => (rates[day] ?? null) === null;
    return rates.map((r, day) => ({
      m: origin + (day + 0.5) * DAY,
      r,
      l: r === null ? null : one.low[day],
      h: r === null ? null : one.high[day],
      o: one.objective,
      s: r !== null && none(day - 1) && none(day + 1),
      e: events(one, day).length > 0,
      i: incidents(one, day).length > 0,
      f: Boolean(one.incomplete[day]),
    }));
  };

  let heat = null, chart = null, selected = 0;
  const cursor = [0, data.days - 1];
  const room = (id) => $(id).clientWidth;
  const drawHeat = async () => {
    heat?.finalize();
    const width = Math.max((data.days > SINGLE ? 2 : 6) * data.days, room('heat-scroll') - 6);
    heat = await draw($('heat-view'), 'heat', cells(), { width });
    $('heat-scroll').scrollLeft = $('heat-scroll').scrollWidth; // the newest days
    const onPaper = Math.max(0.2, Math.min(0.8, PAPER / heat.height())); // on the first page, below the summary
    document.querySelector('.heat').style.setProperty('--on-paper', onPaper);
    $('names').style.paddingTop = `${heat.origin()[1]}px`;
  };
  const drawOne = async () => {
    chart?.finalize();
    const one = series[selected];
    const width = Math.max(240, room('one-scroll') - 64);
    chart = await draw($('one-view'), 'one', points(one), {
      width,
      label: `Error rate by day of ${one.label}, with its 95 % interval. Its days are in the table below.`,
    });
  };
  const select = async (number) => {
    selected = $('selected').selectedIndex = number;
    $('facts').textContent = series[number].facts;
    for (const [n, name] of [...$('names').children].entries()) name.classList.toggle('selected', n === number);
    await drawOne();
    if ($('one-days').open) tabulate();
  };
  const tabulate = () => {
    const one = series[selected];
    const table = document.createElement('table');
    const head = table.createTHead().insertRow();
    for (const text of ['Day', 'Error rate', 'Low', 'High', 'Failed', 'Valid requests', 'Remarks'])
      head.append(Object.assign(document.createElement('th'), { scope: 'col', textContent: text }));
    head.lastChild.className = 'text';
    const body = table.createTBody();
    for (let day = data.days - 1; day >= 0; day--) {
      const row = body.insertRow(), share = rate(one, day), known = one.requests[day] !== null;
      row.append(Object.assign(document.createElement('th'), { scope: 'row', textContent: iso(day) }));
      const low = share === null ? null : one.low[day], high = share === null ? null : one.high[day];
      for (const text of [percent(share), percent(low), percent(high)]) row.insertCell().textContent = text;
      for (const number of [one.errors[day], one.requests[day]])
        row.insertCell().textContent = known ? count(number) : '–';
      const remarks = row.insertCell();
      remarks.className = 'text prose';
      remarks.textContent = told(one, day).split('\n').slice(share === null ? 1 : 4).join('; ');
    }
    $('one-table').replaceChildren(table);
  };

  const box = ([number, day]) => {
    const x = heat.scale('x'), [left, top] = heat.origin(), height = heat.height() / series.length;
    const from = x(origin + day * DAY), to = x(origin + (day + 1) * DAY);
    return { left: left + from, top: top + number * height, width: to - from, height };
  };
  const dayAt = (view, element, event) => {
    const left = element.querySelector('svg').getBoundingClientRect().left + view.origin()[0];
    const day = Math.floor((view.scale('x').invert(event.clientX - left) - origin) / DAY);
    return day >= 0 && day < data.days ? day : null;
  };
  const cellAt = (event) => {
    const top = $('heat-view').querySelector('svg').getBoundingClientRect().top + heat.origin()[1];
    const number = Math.floor((event.clientY - top) / (heat.height() / series.length));
    const day = dayAt(heat, $('heat-view'), event);
    return day !== null && number >= 0 && number < series.length ? [number, day] : null;
  };
  const showCursor = () => {
    const mark = $('cursor'), text = told(series[cursor[0]], cursor[1]);
    for (const [side, pixels] of Object.entries(box(cursor))) mark.style[side] = `${pixels}px`;
    mark.hidden = false;
    mark.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    const seen = mark.getBoundingClientRect();
    tip(text, seen.left, seen.bottom);
    $('live').textContent = text;
  };
  const MOVES = {
    ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
    PageUp: [0, -MONTH], PageDown: [0, MONTH], Home: [0, -Infinity], End: [0, Infinity],
  };
  const within = (number, length) => Math.max(0, Math.min(length - 1, number));

  const listen = () => {
    const area = $('heat');
    area.addEventListener('keydown', (event) => {
      const move = MOVES[event.key];
      if (move) {
        cursor[0] = within(cursor[0] + move[0], series.length);
        cursor[1] = within(cursor[1] + move[1], data.days);
        showCursor();
        event.preventDefault();
      } else if (event.key === 'Enter') {
        select(cursor[0]);
        $('live').textContent = `${series[cursor[0]].label} is shown below. ${series[cursor[0]].facts}`;
      } else if (event.key === 'Escape') tip();
    });
    area.addEventListener('focus', () => area.matches(':focus-visible') && showCursor());
    area.addEventListener('blur', () => {
      tip();
      $('cursor').hidden = true;
    });
    area.addEventListener('pointermove', (event) => {
      const cell = cellAt(event);
      tip(cell && told(series[cell[0]], cell[1]), event.clientX, event.clientY);
    });
    area.addEventListener('pointerleave', () => tip());
    area.addEventListener('click', (event) => {
      const cell = cellAt(event); // a tap is a click: it shows the figures, too
      if (!cell) return;
      [cursor[0], cursor[1]] = cell;
      select(cell[0]);
      tip(told(series[cell[0]], cell[1]), event.clientX, event.clientY);
    });
    for (const kind of ['pointermove', 'click'])
      $('one-view').addEventListener(kind, (event) => {
        const day = dayAt(chart, $('one-view'), event);
        tip(day !== null && told(series[selected], day), event.clientX, event.clientY);
      });
    $('one-view').addEventListener('pointerleave', () => tip());
    $('selected').addEventListener('change', () => select($('selected').selectedIndex));
    $('one-days').addEventListener('toggle', tabulate);
    $('names').addEventListener('click', (event) => select([...$('names').children].indexOf(event.target)));
    for (const kind of ['wheel', 'touchmove']) addEventListener(kind, () => tip(), { passive: true });
    let width = innerWidth, timer = 0;
    addEventListener('resize', () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (width === innerWidth) return; // a phone's address bar comes and goes
        width = innerWidth;
        drawHeat();
        drawOne();
      }, 200);
    });
  };

  for (const term of document.querySelectorAll('a.term')) {
    const show = () => {
      const at = term.getBoundingClientRect();
      tip(document.querySelector(term.hash).nextElementSibling.textContent, at.left - 12, at.bottom - 10);
    };
    for (const kind of ['pointerenter', 'focus']) term.addEventListener(kind, show);
    for (const kind of ['pointerleave', 'blur']) term.addEventListener(kind, () => tip());
  }
  addEventListener('keydown', (event) => event.key === 'Escape' && tip());
  if (series.length) {
    for (const each of document.querySelectorAll('.scripted')) each.hidden = false;
    for (const one of series) {
      const name = document.createElement('div');
      name.textContent = name.title = one.label;
      name.style.height = name.style.lineHeight = `${rowHeight}px`;
      $('names').append(name);
      $('selected').add(new Option(one.label));
    }
    for (const link of document.querySelectorAll('a[data-series]'))
      link.addEventListener('click', () => select(Number(link.dataset.series)));
    // Small charts are drawn when they come near the window, or on paper.
    const waiting = new Map();
    const drawSmall = (figure) => {
      nearby.unobserve(figure);
      waiting.get(figure)?.();
      waiting.delete(figure);
    };
    const nearby = new IntersectionObserver(
      (entries) => {
        for (const each of entries) if (each.isIntersecting) drawSmall(each.target);
      },
      { rootMargin: '400px' },
    );
    for (const one of series) {
      const figure = document.createElement('figure');
      const caption = document.createElement('figcaption');
      const view = document.createElement('div');
      caption.textContent = caption.title = one.label;
      figure.append(caption, view);
      $('grid').append(figure);
      waiting.set(figure, () =>
        draw(view, 'small', points(one), { label: `Error rate by day of ${one.label}, with its 95 % interval` }),
      );
    }
    addEventListener('beforeprint', () => [...waiting.keys()].forEach(drawSmall));
    await drawHeat();
    await select(0);
    listen();
    for (const figure of waiting.keys()) nearby.observe(figure);
  }
  requestAnimationFrame(() => requestAnimationFrame(() => (document.documentElement.dataset.ready = 'yes')));
})();
