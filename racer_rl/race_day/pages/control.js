'use strict';

// In the fragment, which browsers send to nobody.
const token = location.hash.slice(1);
const ACTS = [
  ['call', 'Call the next', 'n', ''], ['start', 'Start', 's', 'main'],
  ['lap', 'Lap', 'l', 'main'], ['off-track', 'Off track', 'o', ''],
  ['collision', 'Collision', 'c', ''], ['hold', 'Stop the car', 'h', 'stop'],
  ['release', 'Let it go on', 'g', ''], ['end', 'End the run', 'e', ''],
  ['declare', 'Declare the result', 'd', 'main'], ['undo', 'Undo', 'u', ''],
  ['skip', 'Not here: skip', 'k', ''], ['reset', 'Reset: drive again', 'r', '']];
const SURE_MS = 4000;
const buttons = new Map();
let sure = null, refusal = '';

async function post(path, content) {
  const answer = await fetch(path, {method: 'POST', body: JSON.stringify(content),
    headers: {'Content-Type': 'application/json', 'X-Racer-Token': token}});
  return answer.json();
}

async function act(name, more = {}) {
  let text;
  try {
    text = (await post('/act', {act: name, ...more})).error || '';
  } catch {
    text = `${name} did not arrive: no connection; nothing was changed.`;
  }
  refusal = text;
  if (text) say('news', text);
  byId('news').classList.toggle('bad', Boolean(text));
}

// A run that is thrown away by one slip of a finger would be a pity.
function press(name) {
  if (name !== 'reset' || sure) {
    endSure();
    act(name);
    return;
  }
  buttons.get(name).firstChild.textContent = 'Sure? Press again';
  sure = setTimeout(endSure, SURE_MS);
}

function endSure() {
  clearTimeout(sure);
  sure = null;
  buttons.get('reset').firstChild.textContent = 'Reset: drive again';
}

for (const [name, text, key, classes] of ACTS) {
  const button = element('button', '', classes);
  button.type = 'button';
  button.id = `act-${name}`;
  button.disabled = true;  // until a state says what is possible
  button.append(element('span', text), element('kbd', key));
  button.setAttribute('aria-keyshortcuts', key);
  button.addEventListener('click', () => press(name));
  buttons.set(name, button);
  byId('keys').append(button);
}

document.addEventListener('keydown', (event) => {
  const typing = event.target instanceof HTMLInputElement && event.target.type === 'text';
  if (typing || event.repeat || event.ctrlKey || event.altKey || event.metaKey
      || !byId('with-keys').checked) return;
  const known = ACTS.find(([, , key]) => key === event.key.toLowerCase());
  if (!known || buttons.get(known[0]).disabled) return;
  event.preventDefault();
  press(known[0]);
});

byId('enter').addEventListener('submit', (event) => {
  event.preventDefault();
  act('enter', {racer: byId('new-racer').value}).then(() => {
    if (!refusal) byId('new-racer').value = '';
  });
});

function queued(entry, index, count) {
  const item = element('li'), box = element('div', '', 'buttons');
  const button = (text, label, disabled, go) => {
    const made = element('button', text);
    made.type = 'button';
    made.setAttribute('aria-label', `${label} ${entry.racer}`);
    made.disabled = disabled;
    made.addEventListener('click', go);
    box.append(made);
  };
  const move = (place) => () => act('move', {entry: entry.number, place});
  button('↑', 'earlier:', index === 0, move(index - 1));
  button('↓', 'later:', index === count - 1, move(index + 1));
  button('×', 'withdraw', false, () => act('withdraw', {entry: entry.number}));
  item.append(element('span', entry.model ? `${entry.racer} (${entry.model})` : entry.racer,
    'name'), box);
  return item;
}

let before = '';

follow((state) => {
  // An answer to every state: timers of hidden tabs sleep, messages of the server do not.
  post('/alive', {}).catch(() => {});
  if (refusal) {
    say('news', refusal);
    byId('news').classList.add('bad');
  }
  if (state.version !== follow.version) refusal = '';
  follow.version = state.version;
  for (const [name, button] of buttons) {
    const car = name === 'hold' || name === 'release';
    button.hidden = car ? !state.has_car : !state.by_hand
      && ['lap', 'off-track', 'collision'].includes(name);
    button.disabled = car ? state.phase !== 'running' : !state.possible.includes(name);
  }
  const now = JSON.stringify(state.queue);
  if (now === before) return;
  before = now;
  byId('queue').replaceChildren(...state.queue.map((entry, index) =>
    queued(entry, index, state.queue.length)));
});
if (!token) say('link', 'open the address with its # part, as race day printed it');
