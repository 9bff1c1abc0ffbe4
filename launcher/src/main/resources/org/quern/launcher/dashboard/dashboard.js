'use strict';
// Follows the files of runs and draws them. All text of runs goes in as text, never as markup.

const PERIOD = 2000;   // milliseconds between two looks
const POINTS = 3000;   // of a curve: more cannot be seen
const SILENT = 300;    // seconds without a step, an evaluation or a sample before a run is suspect
const COLORS = ['#c2700f', '#0e7d72', '#7a4fc4', '#b8324a', '#3a7d2c', '#2266b8', '#946b00', '#8a3d86'];
const CHARTS = [
  {key: 'loss', title: 'Loss', unit: 'nats a token; points: validation', smooth: true, height: 330},
  {key: 'lr', title: 'Learning rate', unit: '', height: 190},
  {key: 'grad_norm', title: 'Gradient norm', unit: 'before clipping', smooth: true, height: 190},
  {key: 'tokens_per_second', title: 'Speed', unit: 'tokens a second', smooth: true, height: 190},
];
const STEP_KEYS = ['step', 'tokens', 'seconds', 'loss', 'lr', 'grad_norm', 'tokens_per_second'];

const byId = id => document.getElementById(id);
const runs = [];
const plots = new Map();

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

async function get(path) {
  const reply = await fetch(path);
  if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
  return reply;
}

// ---------------------------------------------------------------- reading

function emptySteps() {
  return Object.fromEntries(STEP_KEYS.map(key => [key, []]));
}

function add(run, values, id) {
  run.id = id;
  run.name = values.name;
  run.config = '';
  run.silent = 0;
  run.color = COLORS[id % COLORS.length];
  run.visible = true;
  run.next = {metrics: 0, samples: 0, events: 0};
  run.steps = emptySteps();
  run.evaluations = [];
  run.samples = [];
  run.events = [];
  run.workers = null;
  return run;
}

const FORGET = {
  metrics: run => { run.steps = emptySteps(); run.evaluations = []; },
  samples: run => { run.samples = []; },
  events: run => { run.events = []; },
};

const TAKE = {
  metrics: (run, line) => {
    if ('val_loss' in line) {
      const last = lastOf(run.steps.step) === line.step ? run.steps.step.length - 1 : -1;
      run.evaluations.push({...line, at: last});
    } else {
      STEP_KEYS.forEach(key => run.steps[key].push(line[key] ?? null));
    }
  },
  samples: (run, line) => run.samples.push(line),
  events: (run, line) => run.events.push(line),
};

// Reads what a file of a run has got since last time; returns whether that is anything.
async function follow(run, file) {
  for (let changed = false; ; changed = true) {
    const reply = await get(`api/runs/${run.id}/${file}?from=${run.next[file]}`);
    const next = Number(reply.headers.get('X-Next'));
    const text = await reply.text();
    if (next < run.next[file]) FORGET[file](run);
    if (next === run.next[file]) return changed;
    run.next[file] = next;
    for (const line of text.split('\n')) {
      if (line) {
        try { TAKE[file](run, JSON.parse(line)); } catch { /* a line that a killed run left */ }
      }
    }
  }
}

async function followWorkers(run) {
  const text = await (await get(`api/runs/${run.id}/workers?from=0`)).text();
  const workers = text ? JSON.parse(text) : null;
  const changed = JSON.stringify(workers) !== JSON.stringify(run.workers);
  run.workers = workers;
  return changed;
}

// ---------------------------------------------------------------- curves

const lastOf = array => array.length ? array[array.length - 1] : undefined;

function xOf(run, i) {
  const axis = byId('axis').value;
  const value = run.steps[axis][i];
  return axis === 'seconds' ? value / 3600 : value;
}

// x and y of a series, thinned by means of as many neighbours as needed.
function curve(run, key) {
  const all = run.steps[key];
  const stride = Math.max(1, Math.ceil(all.length / POINTS));
  const x = [];
  const y = [];
  for (let i = 0; i < all.length; i += stride) {
    let sum = 0;
    let count = 0;
    for (let j = i; j < Math.min(all.length, i + stride); j++) {
      if (all[j] !== null) { sum += all[j]; count++; }
    }
    x.push(xOf(run, Math.min(all.length, i + stride) - 1));
    y.push(count ? sum / count : null);
  }
  return [x, y];
}

// Exponential moving average that does not lean to its first value.
function smoothed(values, weight) {
  let average = 0;
  let total = 0;
  return values.map(value => {
    if (value === null) return null;
    average = weight * average + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return average / total;
  });
}

function evaluations(run, key) {
  const x = [];
  const y = [];
  for (const line of run.evaluations) {
    const at = line.at >= 0 ? line.at : run.steps.step.indexOf(line.step);
    if (at >= 0 && (line[key] ?? null) !== null) {
      x.push(xOf(run, at));
      y.push(line[key]);
    }
  }
  return [x, y];
}

// By which the lines of sources differ.
const DASHES = [[10, 4], [4, 4], [1.5, 3], [10, 4, 2, 4]];

// The sources of a mixture, whose validation losses stand beside the mean.
const sourceKeys = run => [...new Set(run.evaluations.flatMap(Object.keys))].filter(key => key.startsWith('val_loss/'));

function tables(chart) {
  const weight = Number(byId('smoothing').value);
  const result = [];
  for (const run of runs.filter(each => each.visible && each.steps.step.length)) {
    const [x, y] = curve(run, chart.key);
    const label = runs.length > 1 ? run.name : chart.title.toLowerCase();
    if (chart.smooth && weight > 0) {
      result.push({data: [x, y], series: {label: `${label}, each step`, stroke: run.color + '55', width: 1}});
      result.push({data: [x, smoothed(y, weight)], series: {label, stroke: run.color, width: 2}});
    } else {
      result.push({data: [x, y], series: {label, stroke: run.color, width: 1.6}});
    }
    if (chart.key === 'loss' && run.evaluations.length) {
      for (const [number, key] of ['val_loss', ...sourceKeys(run)].entries()) {
        const source = key.split('/')[1];
        result.push({
          data: evaluations(run, key),
          series: {label: `${label}, validation${source ? ' of ' + source : ''}`, stroke: run.color,
            ...(source ? {width: 1, dash: DASHES[number % DASHES.length], name: source} : {width: 0, paths: () => null}),
            points: {show: true, size: source ? 5 : 8, fill: run.color}},
        });
      }
    }
  }
  return result;
}

function short(value) {
  if (value === null || value === undefined) return '–';
  const size = Math.abs(value);
  if (size >= 1e6) return (value / 1e6).toFixed(2) + ' M';
  if (size >= 1e4) return (value / 1e3).toFixed(1) + ' k';
  if (size !== 0 && size < 1e-3) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

// Writes the name of a source above the last point of its line that is in sight.
function nameSources(plot) {
  const {ctx, data, bbox} = plot;
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = 'right';
  for (const [i, series] of plot.series.entries()) {
    if (!series.name || !series.show) continue;
    const last = data[i].findLastIndex((value, at) => (value ?? null) !== null && data[0][at] <= plot.scales.x.max);
    if (last < 0) continue;
    const x = plot.valToPos(data[0][last], 'x', true);
    const y = plot.valToPos(data[i][last], 'y', true);
    if (x < bbox.left || y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.fillStyle = typeof series.stroke === 'function' ? series.stroke(plot, i) : series.stroke;
    ctx.fillText(series.name, x - 6 * devicePixelRatio, y - 6 * devicePixelRatio);
  }
  ctx.restore();
}

function draw(chart) {
  const found = tables(chart);
  const place = byId('chart-' + chart.key);
  const signature = JSON.stringify([found.map(each => each.series.label + each.series.stroke),
    byId('axis').value, chart.key === 'loss' && byId('logarithmic').checked]);
  const data = found.length ? uPlot.join(found.map(each => each.data)) : [[], []];
  const known = plots.get(chart.key);
  if (known && known.signature === signature) {
    // A chart that is zoomed into stays where it is.
    const {min, max} = known.plot.scales.x;
    const zoomed = known.zoomed;
    known.plot.setData(data, !zoomed);
    if (zoomed) known.plot.setScale('x', {min, max});
    return;
  }
  if (known) known.plot.destroy();
  place.replaceChildren();
  const style = getComputedStyle(document.documentElement);
  const axis = {stroke: style.getPropertyValue('--soft'), grid: {stroke: style.getPropertyValue('--line'), width: 1},
    ticks: {show: false}};
  const entry = {signature, zoomed: false};
  entry.plot = new uPlot({
    width: place.clientWidth,
    height: chart.height,
    scales: {x: {time: false}, y: {distr: chart.key === 'loss' && byId('logarithmic').checked ? 3 : 1}},
    axes: [{...axis, values: (_, ticks) => ticks.map(short)},
      {...axis, size: 62, values: (_, ticks) => ticks.map(tick => tick === null ? '' : short(tick))}],
    series: [{label: byId('axis').selectedOptions[0].text, value: (_, value) => short(value)},
      ...(found.length ? found.map(each => ({spanGaps: true, points: {show: false}, value: (_, v) => short(v), ...each.series}))
        : [{show: false}])],
    cursor: {sync: {key: 'runs'}, drag: {x: true, y: false}},
    legend: {live: true},
    hooks: {
      setSelect: [plot => { if (plot.select.width > 0) entry.zoomed = true; }],
      draw: [nameSources],
      ready: [plot => plot.over.addEventListener('dblclick', () => { entry.zoomed = false; })],
    },
  }, data, place);
  plots.set(chart.key, entry);
}

// ---------------------------------------------------------------- words

function duration(seconds) {
  const s = Math.round(seconds);
  const two = number => String(number).padStart(2, '0');
  if (s >= 172800) return `${Math.floor(s / 86400)} days`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s % 3600 / 60))}:${two(s % 60)}`
    : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) { count /= 1024; unit++; }
  return `${unit ? count.toFixed(1) : count} ${units[unit]}`;
}

function phase(run) {
  const last = run.events.filter(event => ['started', 'finished', 'stopped'].includes(event.event)).pop();
  if (!last) return ['has not begun', false];
  if (last.event === 'finished') return ['done', false];
  if (last.event === 'stopped') return ['stopped', false];
  if (run.silent > SILENT) return [`no sign of life for ${duration(run.silent)}`, true];
  return [run.steps.step.length ? 'training' : 'starting', false];
}

function showRun(run) {
  const steps = run.steps;
  const started = run.events.filter(event => event.event === 'started').pop();
  const total = started?.steps;
  const step = lastOf(steps.step);
  const box = element('div', undefined, 'run');
  const title = element('div', undefined, 'title');
  const swatch = element('span', undefined, 'swatch');
  swatch.style.background = run.color;
  const [words, bad] = phase(run);
  title.append(swatch, element('b', run.name), element('span', words, bad ? 'phase bad' : 'phase'));
  if (runs.length > 1) {
    const label = element('label', 'show ');
    const check = element('input');
    check.type = 'checkbox';
    check.checked = run.visible;
    check.addEventListener('change', () => { run.visible = check.checked; CHARTS.forEach(draw); });
    label.append(check);
    title.append(label);
  }
  box.append(title);
  if (total && step !== undefined) {
    const bar = element('progress');
    bar.max = total;
    bar.value = step;
    box.append(bar);
  }
  const figures = element('div', undefined, 'figures');
  const figure = (name, value) => {
    const one = element('span', name);
    one.prepend(element('b', value));
    figures.append(one);
  };
  if (step !== undefined) {
    const speed = lastOf(smoothed(steps.tokens_per_second.slice(-50), 0.9));
    const evaluation = lastOf(run.evaluations);
    figure(total ? `of ${total.toLocaleString('en')} steps` : 'steps', step.toLocaleString('en'));
    figure('loss', short(lastOf(smoothed(steps.loss.slice(-100), Number(byId('smoothing').value)))));
    if (evaluation) figure(`validation at ${evaluation.step}`, short(evaluation.val_loss));
    for (const key of sourceKeys(run)) {
      if ((evaluation[key] ?? null) !== null) figure('of ' + key.slice('val_loss/'.length), short(evaluation[key]));
    }
    if (evaluation?.val_bpb) figure('bits a byte', short(evaluation.val_bpb));
    figure('tokens a second', short(speed));
    figure('tokens', short(lastOf(steps.tokens)));
    figure('trained', duration(lastOf(steps.seconds)));
    if (total && speed && step < total && started.tokens_per_step) {
      figure('left', duration((total - step) * started.tokens_per_step / speed));
    }
  }
  box.append(figures);
  return box;
}

function showEvents() {
  const rows = runs.flatMap(run => run.events.map(event => ({run, event})))
    .sort((a, b) => String(b.event.time).localeCompare(String(a.event.time)))
    .slice(0, 200)
    .map(({run, event}) => {
      const {time, event: name, step, documents, ...rest} = event;
      const row = element('tr');
      const bad = /fail|spike|restart|hung|died/.test(name);
      row.append(element('td', String(time ?? '').replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC'), 'soft'));
      if (runs.length > 1) row.append(element('td', run.name));
      row.append(element('td', name.replaceAll('_', ' '), bad ? 'bad' : undefined),
        element('td', step === undefined ? '' : `step ${step}`),
        element('td', Object.entries(rest)
          .map(([key, value]) => key === 'reason' ? value
            : `${key.replaceAll('_', ' ')} ${key === 'bytes' ? bytes(value) : typeof value === 'object' ? JSON.stringify(value) : value}`)
          .join(', ')));
      return row;
    });
  byId('events').tBodies[0].replaceChildren(...rows);
}

function showSamples() {
  const open = new Set([...document.querySelectorAll('#samples details[open]')].map(each => each.dataset.key));
  const boxes = runs.flatMap(run => {
    const steps = [...new Set(run.samples.map(sample => sample.step))].slice(-10).reverse();
    return steps.map((step, index) => {
      const box = element('details');
      box.dataset.key = `${run.id}-${step}`;
      box.open = open.has(box.dataset.key) || index === 0;
      box.append(element('summary', `${runs.length > 1 ? run.name + ', ' : ''}step ${step}`));
      for (const sample of run.samples.filter(each => each.step === step)) {
        const quote = element('blockquote');
        quote.append(element('b', sample.prompt), sample.text);
        box.append(quote);
      }
      return box;
    });
  });
  byId('samples').replaceChildren(...(boxes.length ? boxes : [element('p', 'none yet', 'soft')]));
}

const COLUMNS = {
  rank: 'worker', host: 'machine', pid: 'process', device: 'device', state: 'state', step: 'step', silent_seconds: 'silent for',
  step_seconds: 'at this step for', cpu: 'CPU', memory_bytes: 'memory', device_memory_bytes: 'device memory', attempt: 'attempt',
};

function cell(key, value) {
  if (value === undefined || value === null) return element('td', '–');
  if (key.endsWith('_bytes')) return element('td', bytes(value));
  if (key.endsWith('_seconds')) return element('td', `${value.toFixed(1)} s`, value > 10 ? 'bad' : undefined);
  if (key === 'cpu') return element('td', `${Math.round(value * 100)} %`);
  if (key === 'state') return element('td', value, /train|evaluat|sampl|start/.test(value) ? 'good' : 'bad');
  return element('td', String(value));
}

function showWorkers() {
  const all = runs.flatMap(run => (run.workers?.workers ?? []).map(worker => ({run, worker})));
  byId('workers').hidden = all.length === 0;
  if (!all.length) return;
  const keys = Object.keys(COLUMNS).filter(key => all.some(({worker}) => worker[key] !== undefined));
  const table = document.querySelector('#workers table');
  const head = element('tr');
  if (runs.length > 1) head.append(element('th', 'run'));
  head.append(...keys.map(key => element('th', COLUMNS[key])));
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...all.map(({run, worker}) => {
    const row = element('tr');
    if (runs.length > 1) row.append(element('td', run.name));
    row.append(...keys.map(key => cell(key, worker[key])));
    return row;
  }));
}

function showConfigs() {
  document.title = runs.map(run => run.name).join(', ') + ' – Quern';
  if (byId('configs').childElementCount === runs.filter(run => run.config).length) return;
  byId('configs').replaceChildren(...runs.filter(run => run.config).map(run => {
    const box = element('details');
    box.append(element('summary', run.name), element('pre', run.config));
    return box;
  }));
}

function showAll() {
  showConfigs();
  byId('runs').replaceChildren(...runs.map(showRun));
  CHARTS.forEach(draw);
  showEvents();
  showSamples();
  showWorkers();
}

// ---------------------------------------------------------------- the loop

async function look() {
  try {
    let changed = false;
    const listed = await (await get('api/runs')).json();
    listed.forEach((values, id) => {
      const run = runs[id] ?? (runs[id] = add({}, values, id));
      changed = changed || run.config !== values.config || (run.silent > SILENT) !== (values.silent_seconds > SILENT);
      run.silent = values.silent_seconds;
      run.config = values.config;
    });
    for (const run of runs) {
      for (const file of ['metrics', 'samples', 'events']) changed = await follow(run, file) || changed;
      changed = await followWorkers(run) || changed;
    }
    if (changed) showAll();
    byId('state').textContent = 'live';
    byId('state').className = '';
  } catch (error) {
    byId('state').textContent = `not reachable since ${new Date().toLocaleTimeString()}: ${error.message}`;
    byId('state').className = 'lost';
  }
  setTimeout(look, PERIOD);
}

for (const chart of CHARTS) {
  const figure = element('figure', undefined, 'chart');
  const caption = element('figcaption', chart.title);
  caption.append(element('span', chart.unit));
  const place = element('div');
  place.id = 'chart-' + chart.key;
  figure.append(caption, place);
  byId('charts').append(figure);
}
byId('settings').addEventListener('input', () => { byId('runs').replaceChildren(...runs.map(showRun)); CHARTS.forEach(draw); });
byId('settings').addEventListener('submit', event => event.preventDefault());
new ResizeObserver(() => plots.forEach(({plot}, key) => {
  const place = byId('chart-' + key);
  if (place.clientWidth && place.clientWidth !== plot.width) plot.setSize({width: place.clientWidth, height: plot.height});
})).observe(byId('charts'));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  plots.forEach(({plot}) => plot.destroy());
  plots.clear();
  CHARTS.forEach(draw);
});
look();
