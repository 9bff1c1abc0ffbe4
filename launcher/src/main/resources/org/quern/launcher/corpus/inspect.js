// Shows a run of `quern corpus build`. The address after # says what is shown, so that it can be shared.
import {duplicateKey, duplicates} from './duplicates.js';
import {domains} from './domains.js';
import {overview} from './overview.js';
import {card, element, empty, get, plural} from './parts.js';
import {sampleKey, samples} from './samples.js';

const PERIOD = 5000;   // milliseconds between two looks at a run that goes on

const VIEWS = {
  '': overview,
  pages: samples,
  duplicates,
  domains,
  config: run => element('div', {}, card('Configuration', 'as the run was made', element('pre', {textContent: run.config}))),
};
const KEYS = {pages: sampleKey, duplicates: duplicateKey};

const byId = id => document.getElementById(id);
let run;
let asked = 0;
let scrolled = 0;

const path = () => location.hash.replace(/^#\/?/, '').split('/').map(part => {
  try { return decodeURIComponent(part); } catch { return part; }
});

function say(text, lost) {
  byId('state').textContent = text;
  byId('state').className = lost ? 'lost' : '';
}

async function show() {
  const [name, ...rest] = path();
  const view = name in VIEWS ? name : '';
  const mine = ++asked;
  document.querySelectorAll('#tabs a').forEach(tab => {
    tab.ariaCurrent = tab.getAttribute('href').replace(/^#\/?/, '') === view ? 'page' : null;
  });
  let made;
  try {
    made = await VIEWS[view](run, rest.map(part => part || undefined));
  } catch (problem) {
    made = element('div', {}, empty(problem.message));
  }
  if (mine !== asked) return;
  const side = document.querySelector('.side');
  const place = side ? side.scrollTop : scrolled;
  byId('view').replaceChildren(made);
  const now = document.querySelector('.side');
  if (now) {
    now.scrollTop = place;
    const chosen = now.querySelector('[aria-current]')?.getBoundingClientRect();
    const frame = now.getBoundingClientRect();
    if (chosen && (chosen.top < frame.top || chosen.bottom > frame.bottom)) now.scrollTop += chosen.top - frame.top - frame.height / 3;
  }
  scrolled = place;
}

function describe() {
  byId('name').textContent = run.name;
  document.title = `${run.name} · Quern`;
  say(run.finished ? `finished · ${plural(run.files, 'file')}`
    : run.done < run.files ? `not finished: ${run.done} of ${plural(run.files, 'file')} read`
      : 'not finished: all files read; duplicates and the corpus are next');
}

async function look() {
  try {
    const before = run && `${run.finished} ${run.done}`;
    run = await get('api/run');
    describe();
    if (before !== `${run.finished} ${run.done}`) await show();
  } catch (problem) {
    say(problem.message, true);
  }
  if (!run?.finished) setTimeout(look, PERIOD);
}

addEventListener('hashchange', () => { if (run) show(); });
addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
  if (KEYS[path()[0]]?.(event.key)) event.preventDefault();
});
look();
