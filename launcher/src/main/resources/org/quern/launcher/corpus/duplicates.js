import {card, element, empty, get, hash, language, number, percent, plural, words} from './parts.js';

const MOST_EDITS = 1500;   // of two texts that are compared: beyond it they are shown as they are

let open;

export async function duplicates(run, [at, member]) {
  if (!run.finished) return element('div', {}, empty('Duplicates are looked for when all files are done.'));
  const heads = await get('api/clusters');
  if (!heads.length) return element('div', {}, empty('No duplicates were found, or the config does not look for them.'));
  const index = Math.min(Math.max(0, Number(at) || 0), heads.length - 1);
  const cluster = await get(`api/clusters/${heads[index].number}`);
  const other = Math.min(Math.max(1, Number(member) || 1), cluster.members.length - 1);
  open = {heads, index, members: cluster.members.length, other};
  return element('div', {},
    element('div', {className: 'columns'}, ...run.report.duplicates.map(sizes)),
    element('div', {className: 'split'}, list(heads, index), show(cluster, index, other)));
}

function sizes(count) {
  const bars = element('div', {className: 'bars'});
  const most = Math.max(1, ...Object.values(count.sizes));
  for (const [size, clusters] of Object.entries(count.sizes)) {
    const part = element('i', {className: 'kept'});
    part.style.width = percent(clusters, most);
    bars.append(element('div', {className: 'name', textContent: size === '2' ? '2 or 3 pages' : `${number(size)} to ${number(2 * size - 1)} pages`}),
      element('div', {className: 'bar'}, part), element('div', {className: 'left', textContent: number(clusters)}), element('div'));
  }
  return card(words(count.stage), `${plural(count.clusters, 'cluster')} of ${plural(count.pages, 'page')}`,
    count.clusters ? bars : empty('none'));
}

function list(heads, index) {
  const side = element('nav', {className: 'side', ariaLabel: 'clusters'});
  let stage;
  heads.forEach((head, i) => {
    if (head.stage !== stage) {
      stage = head.stage;
      side.append(element('h3', {textContent: `${words(stage)}, some`}));
    }
    const link = element('a', {href: hash('duplicates', i), className: i === index ? 'sample open' : 'sample'},
      element('span', {textContent: head.beginning || head.url}), element('small', {textContent: plural(head.pages, 'page')}));
    if (i === index) link.ariaCurrent = 'true';
    side.append(link);
  });
  return side;
}

function show(cluster, index, other) {
  const [kept, ...others] = cluster.members;
  const against = cluster.members[other];
  const compared = against ? differences(kept.text, against.text) : null;
  const same = compared && !compared.some(part => part.kind !== 'both');
  const choice = element('div', {className: 'choice'}, ...others.map((member, i) => {
    const link = element('a', {href: hash('duplicates', index, i + 1), textContent: `page ${i + 2}`, title: member.url});
    if (i + 1 === other) link.ariaCurrent = 'true';
    return link;
  }));
  const pane = (member, title, side) => element('section', {className: 'pane'},
    element('h3', {}, title, element('small', {textContent: [plural(member.textCharacters, 'character'), member.language && language(member.language)]
      .filter(Boolean).join(' · ')})),
    element('div', {className: 'url', textContent: member.url || member.id}),
    text(member, compared, side));
  return element('article', {className: 'detail'},
    element('div', {className: 'head'},
      element('p', {className: 'verdict'}, element('b', {textContent: plural(cluster.pages, 'page')}), ` found by ${words(cluster.stage)}`,
        cluster.pages > cluster.members.length ? element('small', {textContent: `  ${cluster.members.length} of them are here`}) : null),
      element('span', {className: 'hint', textContent: !against ? '' : !compared ? 'too different to mark what differs'
        : same ? 'these two texts are equal' : 'marked: words that the other does not have'})),
    element('div', {className: 'tools'}, choice, element('span', {className: 'hint', textContent: 'j, k: clusters · h, l: pages'})),
    element('div', {className: 'panes two'}, pane(kept, kept.dropped ? 'dropped' : 'kept', 'left'),
      against ? pane(against, 'dropped', 'right') : null));
}

function text(member, compared, side) {
  const box = element('pre', {className: 'prose', dir: 'auto'});
  if (!compared) {
    box.textContent = member.text;
    return box;
  }
  for (const part of compared) {
    if (part.kind === 'both') box.append(part.text);
    else if (part.kind === side) box.append(element('mark', {textContent: part.text}));
  }
  return box;
}

/**
 * Two texts as parts of words: in both, in the left one only, in the right one only (Myers, "An O(ND) Difference
 * Algorithm", 1986); null if they differ too much for that to be of use.
 */
export function differences(left, right) {
  const a = left.match(/\S+\s*|\s+/g) ?? [];
  const b = right.match(/\S+\s*|\s+/g) ?? [];
  const trace = [];
  let ends = new Map([[1, 0]]);
  let edits = 0;
  search: for (; ; edits++) {
    if (edits > MOST_EDITS) return null;
    trace.push(ends);
    ends = new Map(ends);
    for (let k = -edits; k <= edits; k += 2) {
      let x = k === -edits || k !== edits && ends.get(k - 1) < ends.get(k + 1) ? ends.get(k + 1) : ends.get(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      ends.set(k, x);
      if (x >= a.length && x - k >= b.length) break search;
    }
  }
  const steps = [];
  let x = a.length;
  let y = b.length;
  for (let d = edits; d >= 0; d--) {
    const before = trace[d];
    const k = x - y;
    const from = k === -d || k !== d && before.get(k - 1) < before.get(k + 1) ? k + 1 : k - 1;
    const startX = d ? before.get(from) : 0;
    const startY = d ? startX - from : 0;
    while (x > startX && y > startY) { steps.push(['both', a[--x]]); y--; }
    if (d) steps.push(x > startX ? ['left', a[--x]] : ['right', b[--y]]);
  }
  const parts = [];
  for (const [kind, word] of steps.reverse()) {
    const last = parts.at(-1);
    if (last?.kind === kind) last.text += word;
    else parts.push({kind, text: word});
  }
  return parts;
}

/** Returns whether the key was one of this view. */
export function duplicateKey(key) {
  if (!open) return false;
  const {heads, index, members, other} = open;
  if (key === 'j') location.hash = hash('duplicates', Math.min(heads.length - 1, index + 1));
  else if (key === 'k') location.hash = hash('duplicates', Math.max(0, index - 1));
  else if (key === 'l') location.hash = hash('duplicates', index, Math.min(members - 1, other + 1));
  else if (key === 'h') location.hash = hash('duplicates', index, Math.max(1, other - 1));
  else return false;
  return true;
}
