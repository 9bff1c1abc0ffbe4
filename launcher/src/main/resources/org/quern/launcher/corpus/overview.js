import {bytes, card, element, empty, figure, hash, language, number, percent, plural, share, words} from './parts.js';

const LANGUAGES = 20;

export function overview(run) {
  const {report} = run;
  const first = report.stages[0];
  if (!first) return element('div', {}, empty('No file of the input is done yet. This page looks again by itself.'));
  return element('div', {},
    figures(run, first),
    card('What became of the pages', 'dropped pages are links to samples', funnel(run, first)),
    element('div', {className: 'columns'},
      card('Languages', key(run), languagesOf(report)),
      card('Length of the text', key(run), lengths(report))),
    archive(report));
}

function figures(run, first) {
  const {report} = run;
  const row = element('div', {className: 'figures'},
    figure(bytes(report.inputBytes), plural(report.files, 'file'), 'as stored'),
    figure(number(first.pagesIn), 'pages in', bytes(first.bytesIn)),
    figure(number(report.output.pages), run.finished ? 'pages kept' : 'pages left so far',
      `${share(report.output.pages, first.pagesIn)}, ${bytes(report.output.textBytes)} of text`));
  if (report.tokens) {
    row.append(figure(number(report.tokens.train + report.tokens.validation), 'tokens',
      `vocabulary of ${number(report.tokens.vocabulary)}`));
  }
  for (const found of report.duplicates) {
    row.append(figure(number(found.clusters), `clusters of ${words(found.stage)}`, plural(found.pages, 'page')));
  }
  return row;
}

function funnel(run, first) {
  const all = first.pagesIn;
  const rows = element('div', {className: 'funnel'}, element('div', {className: 'stage titles'},
    ...[['name', 'stage'], ['bar', ''], ['left', 'pages out'], ['gone', 'dropped'], ['part', ''], ['size', 'bytes out']]
      .map(([className, textContent]) => element('div', {className, textContent}))));
  for (const stage of run.report.stages) {
    const gone = stage.pagesIn - stage.pagesOut;
    const bar = element('div', {className: 'bar', title:
      `${number(stage.pagesIn)} in, ${number(stage.pagesOut)} out, ${bytes(stage.bytesOut)} out`});
    const kept = element('i', {className: 'kept'});
    kept.style.width = percent(stage.pagesOut, all);
    const dropped = element('i', {className: 'dropped'});
    dropped.style.width = percent(gone, all);
    bar.append(kept, dropped);
    const reasons = element('div', {className: 'reasons'});
    Object.entries(stage.dropped).sort((a, b) => b[1] - a[1]).forEach(([reason, count]) => reasons.append(
      reasonLink(run, stage.name, reason, element('span', {textContent: words(reason)}), element('b', {textContent: number(count)}))));
    rows.append(element('div', {className: gone ? 'stage' : 'stage idle'},
      element('div', {className: 'name', textContent: words(stage.name)}),
      bar,
      element('div', {className: 'left', textContent: number(stage.pagesOut)}),
      element('div', {className: 'gone', textContent: gone ? `−${number(gone)}` : ''}),
      element('div', {className: 'part', textContent: gone ? share(gone, stage.pagesIn) : ''}),
      element('div', {className: 'size', textContent: bytes(stage.bytesOut)}),
      reasons));
  }
  return rows;
}

function reasonLink(run, stage, reason, ...content) {
  if (run.samples[`${stage}.${reason}`]) {
    return element('a', {href: hash('pages', stage, reason)}, ...content);
  }
  return run.report.duplicates.some(found => found.stage === stage)
    ? element('a', {href: hash('duplicates')}, ...content) : element('span', {className: 'chip'}, ...content);
}

const key = run => element('span', {className: 'key'}, element('i', {className: 'kept'}), run.finished ? 'kept' : 'left so far',
  element('i', {className: 'dropped'}), 'dropped');

function languagesOf(report) {
  const totals = new Map();
  for (const [which, counts] of [[0, report.output.languages], [1, report.dropped.languages]]) {
    for (const [code, count] of Object.entries(counts)) {
      const both = totals.get(code) ?? [0, 0];
      both[which] += count;
      totals.set(code, both);
    }
  }
  const sorted = [...totals].sort((a, b) => b[1][0] + b[1][1] - a[1][0] - a[1][1]);
  const most = sorted.length ? sorted[0][1][0] + sorted[0][1][1] : 0;
  const list = element('div', {className: 'bars'});
  const row = (name, code, [kept, gone]) => {
    const bar = element('div', {className: 'bar', title: `${name}: ${number(kept)} kept, ${number(gone)} dropped`});
    for (const [className, count] of [['kept', kept], ['dropped', gone]]) {
      const part = element('i', {className});
      part.style.width = percent(count, Math.max(most, kept + gone));
      bar.append(part);
    }
    list.append(element('div', {className: 'name', title: name}, name, element('small', {textContent: code})), bar,
      element('div', {className: 'left', textContent: number(kept)}), element('div', {className: 'gone', textContent: gone ? `−${number(gone)}` : ''}));
  };
  sorted.slice(0, LANGUAGES).forEach(([code, counts]) => row(language(code), code, counts));
  const rest = sorted.slice(LANGUAGES);
  if (rest.length) {
    row(plural(rest.length, 'other'), '', rest.reduce((sum, [, counts]) => [sum[0] + counts[0], sum[1] + counts[1]], [0, 0]));
  }
  return list;
}

/** Columns: from a power of two of bytes up to the next. */
function lengths(report) {
  const bins = [...new Set([...Object.keys(report.output.lengths), ...Object.keys(report.dropped.lengths)].map(Number))]
    .sort((a, b) => a - b);
  const counts = bins.map(bin => [report.output.lengths[bin] ?? 0, report.dropped.lengths[bin] ?? 0]);
  const most = Math.max(1, ...counts.map(([kept, gone]) => kept + gone));
  const plot = element('div', {className: 'plot'});
  bins.forEach((bin, i) => {
    const [kept, gone] = counts[i];
    const from = bin ? bytes(bin) : 'none';
    const column = element('div', {className: 'column', title:
      `${bin ? `${from} up to ${bytes(2 * bin)}` : 'no text'}: ${number(kept)} kept, ${number(gone)} dropped`});
    const stack = element('div', {className: 'stack'}, element('small', {textContent: number(kept + gone)}));
    for (const [className, count] of [['dropped', gone], ['kept', kept]]) {
      const part = element('i', {className});
      part.style.height = percent(count, 1.08 * most);
      stack.append(part);
    }
    column.append(stack, element('span', {textContent: from}));
    plot.append(column);
  });
  return plot;
}

function archive(report) {
  const chips = (counts, className) => Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([what, count]) =>
    element('span', {className}, element('span', {textContent: words(what)}), element('b', {textContent: number(count)})));
  const found = [...chips(report.bad, 'chip bad'), ...chips(report.passedOver, 'chip')];
  return found.length
    ? card('Records that are no pages', 'damaged ones first', element('div', {className: 'reasons'}, ...found)) : null;
}
