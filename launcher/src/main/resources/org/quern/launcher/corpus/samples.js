import {bytes, element, empty, get, hash, language, number, plural, words} from './parts.js';

let open;   // {run, stage, reason, heads, at}: what is shown

const panes = new Set(['source', 'rendered', 'text']);

/** The reasons in the order of the stages, then the pages that were kept. */
function groups(run) {
  const all = run.report.stages.flatMap(stage => Object.entries(stage.dropped).sort((a, b) => b[1] - a[1])
    .map(([reason, count]) => ({stage: stage.name, reason, count})))
    .filter(group => run.samples[`${group.stage}.${group.reason}`]);
  if (run.samples['.kept']) all.push({stage: '', reason: 'kept', count: run.report.output.pages});
  return all;
}

/** @param path stage, reason and which sample; a kept page's stage is `corpus` */
export async function samples(run, [stageName, reasonName, at]) {
  const all = groups(run);
  if (!all.length) return element('div', {}, empty('There are no samples: the config has samples: 0, or nothing is done yet.'));
  const wanted = {stage: stageName === 'corpus' ? '' : stageName, reason: reasonName};
  const group = all.find(each => each.stage === wanted.stage && each.reason === wanted.reason) ?? all[0];
  const heads = await get(`api/samples?stage=${encodeURIComponent(group.stage)}&reason=${encodeURIComponent(group.reason)}`);
  const index = Math.min(Math.max(0, Number(at) || 0), heads.length - 1);
  open = {run, all, group, heads, index};
  const detail = heads.length ? await show(run, await get(`api/samples/${heads[index].number}`)) : empty('It is gone: the run has gone on.');
  return element('div', {className: 'split'}, list(all, group, heads, index), detail);
}

const address = (group, index) => hash('pages', group.stage || 'corpus', group.reason, index);

function list(all, group, heads, index) {
  const side = element('nav', {className: 'side', ariaLabel: 'reasons and samples'});
  let stage;
  for (const each of all) {
    if (each.stage !== stage) {
      stage = each.stage;
      side.append(element('h3', {textContent: stage ? words(stage) : 'corpus'}));
    }
    const isOpen = each === group;
    side.append(element('a', {className: isOpen ? 'reason open' : 'reason', href: address(each, 0)},
      element('span', {textContent: words(each.reason)}), element('b', {textContent: number(each.count)})));
    if (isOpen) {
      const items = element('ol');
      heads.forEach((head, i) => {
        const link = element('a', {href: address(group, i), className: i === index ? 'sample open' : 'sample'},
          element('span', {textContent: head.beginning || head.url || 'no text'}),
          element('small', {textContent: [head.evidence, head.stage ? measure(head.value) : head.language].filter(Boolean).join(' · ')}));
        if (i === index) link.ariaCurrent = 'true';
        items.append(element('li', {}, link));
      });
      side.append(items);
    }
  }
  return side;
}

const measure = value => Number.isInteger(value) ? number(value) : String(Number(value.toPrecision(3)));

async function show(run, sample) {
  const {group, heads, index} = open;
  const verdict = sample.stage
    ? element('p', {className: 'verdict bad'}, element('b', {textContent: 'dropped'}), ` by ${words(sample.stage)}: `,
      element('b', {textContent: words(sample.reason)}), ' ', element('code', {textContent: measure(sample.value)}),
      sample.evidence ? element('code', {textContent: sample.evidence}) : null)
    : element('p', {className: 'verdict'}, element('b', {textContent: 'kept'}), ' by all stages but those that look for duplicates');
  const place = element('div', {className: 'place'},
    element('span', {className: 'url', textContent: sample.url || 'no address'}),
    element('small', {textContent: [sample.id, sample.date, sample.language && language(sample.language)].filter(Boolean).join(' · ')}));
  const turn = element('div', {className: 'turn'},
    element('a', {href: address(group, Math.max(0, index - 1)), textContent: '‹', title: 'the one before (k)', ariaLabel: 'previous sample'}),
    element('span', {textContent: `${index + 1} of ${heads.length}`}),
    element('a', {href: address(group, Math.min(heads.length - 1, index + 1)), textContent: '›', title: 'the next one (j)', ariaLabel: 'next sample'}));
  const rule = settings(run.config, sample.stage);
  const frame = element('div', {className: 'panes'});
  const choice = element('div', {className: 'choice'});
  const draw = () => frame.replaceChildren(...made.filter(pane => panes.has(pane.name)).map(pane => pane.box()));
  const made = panesOf(sample);
  for (const pane of made) {
    const button = element('button', {type: 'button', textContent: pane.name, ariaPressed: String(panes.has(pane.name)), title: `show or hide (${pane.key})`});
    button.dataset.key = pane.key;
    button.addEventListener('click', () => {
      if (!panes.delete(pane.name)) panes.add(pane.name);
      button.ariaPressed = String(panes.has(pane.name));
      draw();
    });
    choice.append(button);
  }
  draw();
  return element('article', {className: 'detail'},
    element('div', {className: 'head'}, verdict, turn), place,
    rule ? element('details', {className: 'rule'}, element('summary', {textContent: `settings of ${words(sample.stage)}`}), element('pre', {textContent: rule})) : null,
    element('div', {className: 'tools'}, choice, element('span', {className: 'hint', textContent: 'j, k: samples · J, K: reasons · 1, 2, 3: panes'})),
    frame);
}

function panesOf(sample) {
  const box = (title, note, content) => element('section', {className: 'pane'},
    element('h3', {}, title, element('small', {textContent: note})), content);
  const shown = sample.html.length;
  const cut = sample.htmlBytes > 20000 ? `${bytes(sample.htmlBytes)}, from byte ${number(sample.htmlFrom)} on: ${plural(shown, 'character')}` : bytes(sample.htmlBytes);
  const made = [];
  if (sample.htmlBytes) {
    made.push({name: 'source', key: '1', box: () => box('source', cut, element('pre', {className: 'source', textContent: sample.html}))});
    made.push({name: 'rendered', key: '2', box: () => {
      const frame = element('iframe', {title: 'the page, without scripts, styles and images'});
      frame.setAttribute('sandbox', '');
      frame.src = `api/rendered/${open.heads[open.index].number}`;
      return box('rendered', 'no scripts, styles, images or links', frame);
    }});
  }
  const length = sample.textCharacters > sample.text.length
    ? `${number(sample.text.length)} of ${plural(sample.textCharacters, 'character')}` : plural(sample.textCharacters, 'character');
  made.push({name: 'text', key: '3', box: () => box('text', length,
    sample.text ? element('pre', {className: 'prose', textContent: sample.text, dir: 'auto'}) : empty('no text was extracted before it was dropped'))});
  return made;
}

/** The section of the config that a stage reads. */
function settings(config, stage) {
  const section = {url: 'urls', extract: '', output: ''}[stage] ?? stage;
  const lines = config.split('\n');
  const start = section ? lines.findIndex(line => line.startsWith(section + ':')) : -1;
  if (start < 0) return '';
  let end = start + 1;
  while (end < lines.length && /^\s/.test(lines[end])) end++;
  return lines.slice(start, end).join('\n');
}

/** Returns whether the key was one of this view. */
export function sampleKey(key) {
  if (!open) return false;
  const {all, group, heads, index} = open;
  const at = all.indexOf(group);
  if (key === 'j') location.hash = address(group, Math.min(heads.length - 1, index + 1));
  else if (key === 'k') location.hash = address(group, Math.max(0, index - 1));
  else if (key === 'J') location.hash = address(all[Math.min(all.length - 1, at + 1)], 0);
  else if (key === 'K') location.hash = address(all[Math.max(0, at - 1)], 0);
  else if ('123'.includes(key)) document.querySelector(`.choice [data-key="${key}"]`)?.click();
  else return false;
  return true;
}
