// What all views are made of. Texts of documents go in as text, never as markup.

export function element(tag, properties, ...children) {
  const {className, ...others} = properties ?? {};
  const made = Object.assign(document.createElement(tag), others);
  if (className) made.className = className;
  made.append(...children.filter(child => child !== undefined && child !== null));
  return made;
}

export async function get(path) {
  let reply;
  try {
    reply = await fetch(path);
  } catch {
    throw new Error('the program does not reply; it may have ended');
  }
  if (!reply.ok) throw new Error((await reply.text()).trim());
  return reply.json();
}

export const number = value => Math.round(value).toLocaleString('en');

export function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) { count /= 1024; unit++; }
  return `${unit && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

export function share(part, all) {
  if (!all) return '–';
  const percent = 100 * part / all;
  return `${percent > 0 && percent < 0.1 ? '< 0.1' : percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** What a stage, a reason or a key is called to people. */
export const words = name => name.replaceAll('_', ' ');

export const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many ?? one + 's'}`;

export const percent = (part, all) => `${all ? 100 * part / all : 0}%`;

/** An address within the page: its parts are shareable. */
export const hash = (...parts) => '#/' + parts.map(part => encodeURIComponent(part)).join('/');

const languages = new Intl.DisplayNames(['en'], {type: 'language', fallback: 'none'});

export function language(code) {
  if (!code) return 'not identified';
  try { return languages.of(code) ?? code; } catch { return code; }
}

export function figure(value, name, note) {
  return element('div', {className: 'figure'}, element('b', {textContent: value}), element('span', {textContent: name}),
    note ? element('small', {textContent: note}) : null);
}

export function card(title, note, ...children) {
  return element('section', {className: 'card'},
    element('h2', {}, title, note ? element('small', {}, note) : null), ...children);
}

export const empty = text => element('p', {className: 'empty', textContent: text});
