import {bytes, card, element, empty, hash, number, percent, share, words} from './parts.js';

const ROWS = 50;
const COLUMNS = [
  {key: 'domain', title: 'domain'},
  {key: 'pages', title: 'pages in'},
  {key: 'kept', title: 'kept'},
  {key: 'share', title: 'kept of pages in'},
  {key: 'bytes', title: 'bytes in'},
  {key: 'keptBytes', title: 'text kept'},
  {key: 'reason', title: 'most dropped for'},
];

const main = domain => Object.entries(domain.dropped).sort((a, b) => b[1] - a[1])[0];

function row(domain, finished) {
  const gone = Object.values(domain.dropped).reduce((sum, count) => sum + count, 0);
  const kept = finished ? domain.kept : domain.pages - gone;
  const most = main(domain);
  return {...domain, kept, share: domain.pages ? kept / domain.pages : 0, reason: most?.[0] ?? '', reasonCount: most?.[1] ?? 0};
}

/** @param path the column, `up` or `down`, the page, and words that the domain must contain */
export function domains(run, [key = 'pages', direction = key === 'domain' || key === 'reason' ? 'up' : 'down', page = '0', filter = '']) {
  const table = run.report.domains;
  const sign = direction === 'up' ? 1 : -1;
  const all = table.largest.map(domain => row(domain, run.finished))
    .filter(domain => domain.domain.includes(filter.toLowerCase()))
    .sort((a, b) => sign * (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0) || (a.domain < b.domain ? -1 : 1));
  const pages = Math.max(1, Math.ceil(all.length / ROWS));
  const at = Math.min(Math.max(0, Number(page) || 0), pages - 1);
  const search = element('input', {type: 'search', placeholder: 'domain contains', value: filter, ariaLabel: 'filter'});
  search.addEventListener('change', () => { location.hash = hash('domains', key, direction, 0, search.value); });
  const note = table.count > table.largest.length ? `the ${number(table.largest.length)} with the most pages of ${table.missed ? 'at least ' : ''}${number(table.count)}` : number(table.count);
  return element('div', {}, card('Domains', note,
    table.missed ? element('p', {className: 'hint', textContent: `Very many domains: each may have up to ${number(table.missed)} pages more than are counted here.`}) : null,
    element('div', {className: 'tools'}, search, element('span', {className: 'turn'},
      element('a', {href: hash('domains', key, direction, Math.max(0, at - 1), filter), textContent: '‹', ariaLabel: 'previous page'}),
      element('span', {textContent: `${at + 1} of ${pages}`}),
      element('a', {href: hash('domains', key, direction, Math.min(pages - 1, at + 1), filter), textContent: '›', ariaLabel: 'next page'}))),
    all.length ? element('div', {className: 'wide'}, element('table', {}, head(key, direction, filter),
      element('tbody', {}, ...all.slice(at * ROWS, (at + 1) * ROWS).map(domain => line(run, domain))))) : empty('none')));
}

function head(key, direction, filter) {
  return element('thead', {}, element('tr', {}, ...COLUMNS.map(column => {
    const isSorted = column.key === key;
    const turned = isSorted ? direction === 'up' ? 'down' : 'up' : column.key === 'domain' || column.key === 'reason' ? 'up' : 'down';
    const cell = element('th', {}, element('a', {href: hash('domains', column.key, turned, 0, filter),
      textContent: column.title + (isSorted ? direction === 'up' ? ' ↑' : ' ↓' : '')}));
    if (isSorted) cell.ariaSort = direction === 'up' ? 'ascending' : 'descending';
    return cell;
  })));
}

function line(run, domain) {
  const part = element('i', {className: 'kept'});
  part.style.width = percent(domain.kept, domain.pages);
  const [stage, reason] = domain.reason.split('.');
  const name = reason ? `${words(stage)}: ${words(reason)}` : '';
  return element('tr', {},
    element('td', {textContent: domain.domain || 'no address'}),
    element('td', {textContent: number(domain.pages)}),
    element('td', {textContent: number(domain.kept)}),
    element('td', {className: 'meter'}, element('div', {className: 'bar', title: share(domain.kept, domain.pages)}, part), share(domain.kept, domain.pages)),
    element('td', {textContent: bytes(domain.bytes)}),
    element('td', {textContent: run.finished ? bytes(domain.keptBytes) : '–'}),
    element('td', {}, run.samples[domain.reason] ? element('a', {href: hash('pages', stage, reason), textContent: name}) : name,
      domain.reasonCount ? element('small', {textContent: ` ${number(domain.reasonCount)}`}) : null));
}
