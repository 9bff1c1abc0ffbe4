'use strict';
// Sends what is written to the server, and shows the tokens that come back. Nothing that comes back is put into the page
// as HTML.
const byId = id => document.getElementById(id);
const MOST_PIECES = 20000;
const ROLES = ['system', 'user', 'assistant'];
const EXAMPLE = [
  {role: 'system', content: 'You are a helpful assistant.'},
  {role: 'user', content: 'How many tokens is this?'},
];
let tokenizers = [];
let messages = EXAMPLE.map(message => ({...message}));
let last = [];
let asked = 0;
let timer;

const element = (name, properties, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};
const isChat = () => document.querySelector('input[name=mode]:checked').value === 'chat';

async function post(path, body) {
  const reply = await fetch(path, {method: 'POST', body: JSON.stringify(body)});
  if (!reply.ok) throw new Error(await reply.text());
  return reply.json();
}

function say(text, lost) {
  byId('state').textContent = text;
  byId('state').className = lost ? 'lost' : '';
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(ask, 120);
}

async function ask() {
  const mine = ++asked;
  const body = isChat()
    ? {messages, answer: byId('answer').checked}
    : {text: byId('text').value, special: byId('special').checked};
  try {
    const replies = await post('api/tokens', body);
    if (mine !== asked) return;
    last = replies;
    say(`${tokenizers.length} tokenizer${tokenizers.length === 1 ? '' : 's'}`);
    show();
  } catch (problem) {
    if (mine === asked) say(problem instanceof TypeError ? 'the program does not reply; it may have ended' : problem.message, true);
  }
}

const visible = text => !byId('space').checked ? text
  : text.replace(/ /g, '·').replace(/\t/g, '→\t').replace(/\r/g, '␍').replace(/\n/g, '↵\n');

function figure(name, value) {
  return element('span', {}, element('b', {textContent: value}), name);
}

function show() {
  byId('outputs').replaceChildren(...last.map((reply, n) => {
    const card = element('section', {className: 'output'}, element('h2', {textContent: tokenizers[n].name}));
    if (reply.problem) {
      card.append(element('p', {className: 'problem', textContent: reply.problem}));
      return card;
    }
    const characters = Array.from(reply.text).length;
    card.append(element('div', {className: 'figures'},
      figure('tokens', reply.tokens.toLocaleString('en')),
      figure('characters', characters.toLocaleString('en')),
      figure('bytes a token', reply.tokens ? (reply.bytes / reply.tokens).toFixed(2) : '–'),
      figure('in the vocabulary', tokenizers[n].size.toLocaleString('en'))));
    if (isChat() && !tokenizers[n].template) {
      card.append(element('p', {className: 'more', textContent: 'It has no chat template of its own: this is ChatML.'}));
    }
    const pieces = element('div', {className: 'pieces'});
    const ids = element('div', {className: 'ids', hidden: !byId('ids').checked});
    reply.pieces.slice(0, MOST_PIECES).forEach((piece, i) => {
      const shade = `c${i % 6}`;
      const box = element('span', {className: piece.s ? 'special' : shade, textContent: visible(piece.t)});
      const number = element('span', {className: shade, textContent: piece.i.join(' ')});
      for (const each of [box, number]) {
        each.addEventListener('pointerenter', () => light(piece, box, number));
        each.addEventListener('pointerleave', () => { box.classList.remove('lit'); number.classList.remove('lit'); });
      }
      pieces.append(box);
      ids.append(number, ' ');
    });
    if (reply.pieces.length > MOST_PIECES) {
      pieces.append(element('p', {className: 'more', textContent: `and ${(reply.pieces.length - MOST_PIECES).toLocaleString('en')} more`}));
    }
    card.append(pieces, ids);
    return card;
  }));
}

function light(piece, box, number) {
  box.classList.add('lit');
  number.classList.add('lit');
  byId('detail').replaceChildren(
    element('b', {textContent: JSON.stringify(piece.t)}),
    piece.i.length === 1 ? '  id ' : '  ids ', element('b', {textContent: piece.i.join(' ')}),
    '  bytes ', element('b', {textContent: piece.b.join(' | ')}),
    piece.s ? '  special' : '');
}

function showMessages() {
  byId('messages').replaceChildren(...messages.map((message, n) => {
    const role = element('select', {ariaLabel: 'role'}, ...ROLES.map(each => element('option', {value: each, textContent: each})));
    role.value = message.role;
    role.addEventListener('change', () => { message.role = role.value; later(); });
    const remove = element('button', {type: 'button', textContent: 'remove'});
    remove.addEventListener('click', () => { messages.splice(n, 1); showMessages(); later(); });
    const content = element('textarea', {value: message.content, ariaLabel: 'content', spellcheck: false});
    content.addEventListener('input', () => { message.content = content.value; later(); });
    return element('div', {className: 'message'}, element('div', {}, role, remove), content);
  }));
}

byId('add').addEventListener('click', () => {
  const before = messages.at(-1);
  messages.push({role: before && before.role === 'user' ? 'assistant' : 'user', content: ''});
  showMessages();
  later();
});
byId('text').addEventListener('input', later);
byId('settings').addEventListener('submit', event => event.preventDefault());
byId('settings').addEventListener('change', event => {
  byId('text').hidden = isChat();
  byId('chat').hidden = !isChat();
  byId('special').parentElement.hidden = isChat();
  byId('answer').parentElement.hidden = !isChat();
  if (event.target.id === 'space' || event.target.id === 'ids') show();
  else later();
});

async function begin() {
  try {
    const known = await post('api/tokenizers', {});
    tokenizers = known.tokenizers;
    byId('text').value = known.text;
    if (location.hash === '#chat') document.querySelector('input[value=chat]').click();
    showMessages();
    await ask();
  } catch (problem) {
    say(problem.message, true);
  }
}
begin();
