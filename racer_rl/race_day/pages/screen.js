'use strict';

const SVG = 'http://www.w3.org/2000/svg';
let car = null, toMap = null;

function shape(kind, attributes) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

async function drawMap() {
  const answer = await fetch('/course.json');
  if (!answer.ok) return;
  const course = await answer.json();
  const all = [...course.left, ...course.right];
  const xs = all.map((p) => p[0]), ys = all.map((p) => p[1]);
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  toMap = ([x, y]) => [x - x0 + 0.3, y1 - y + 0.3];
  const ring = (points) => points.map((p) => toMap(p).map((v) => v.toFixed(3)).join(' '))
    .join('L');
  const size = Math.max(x1 - x0, y1 - y0);
  const map = byId('map');
  map.setAttribute('viewBox', `0 0 ${(x1 - x0 + 0.6).toFixed(3)} ${(y1 - y0 + 0.6).toFixed(3)}`);
  map.setAttribute('aria-label', `The track ${course.name}`);
  const [a, b] = [toMap(course.left[0]), toMap(course.right[0])];
  car = shape('circle', {class: 'car', r: size / 45, 'stroke-width': size / 200,
    visibility: 'hidden'});
  map.replaceChildren(
    shape('path', {class: 'road', 'stroke-width': size / 300,
      d: `M${ring(course.left)}ZM${ring(course.right)}Z`}),
    shape('line', {class: 'start', x1: a[0], y1: a[1], x2: b[0], y2: b[1],
      'stroke-width': size / 120}), car);
}

function moveCar(run) {
  if (!car) return;
  const known = run && run.place_m && run.pace > 0;
  car.setAttribute('visibility', known ? 'visible' : 'hidden');
  if (!known) return;
  const [x, y] = toMap(run.place_m);
  car.setAttribute('cx', x.toFixed(3));
  car.setAttribute('cy', y.toFixed(3));
}

function people(id, items, none) {
  byId(id).replaceChildren(...(items.length ? items : [element('li', none, 'quiet')]));
}

function person(name, figure) {
  const item = element('li');
  item.append(element('span', name), element('span', figure, 'number'));
  return item;
}

function row(line, mine) {
  const made = element('tr', '', mine ? 'mine' : '');
  const name = element('th', line.racer, 'name');
  name.scope = 'row';
  made.append(element('td', String(line.rank), 'number'), name,
    element('td', seconds(line.score_s), 'number'),
    element('td', seconds(line.best_lap_s), 'number'));
  return made;
}

function group(division) {
  const made = element('tr', '', 'group');
  const head = element('th', division);
  head.colSpan = 4;
  head.scope = 'rowgroup';
  made.append(head);
  return made;
}

let before = '';

follow((state) => {
  say('ranking', `by ${state.headline.ranking}`);
  moveCar(state.run);
  const now = JSON.stringify([state.queue, state.waiting, state.standings, state.outcomes,
    state.on_track]);
  if (now === before) return;
  before = now;
  const next = state.queue.slice(0, 6);
  people('queue', next.map((entry, index) => person(`${index + 1}. ${entry.racer}`, '')),
    'nobody waits');
  say('next-title', state.waiting > next.length ? `Next (${state.waiting} wait)` : 'Next');
  people('outcomes', state.outcomes.map((outcome) => person(outcome.racer, outcome.best_s === null
    ? words(outcome.status) : `best ${seconds(outcome.best_s)} s`)), 'none yet');
  const racer = state.on_track && state.on_track.racer;
  const rows = [];
  const divided = new Set(state.standings.map((line) => line.division)).size > 1;
  let division = null;
  for (const line of state.standings.slice(0, 20)) {
    if (divided && line.division !== division) rows.push(group(division = line.division));
    rows.push(row(line, line.racer === racer));
  }
  byId('standings').replaceChildren(...rows);
  say('ranked', state.ranked > 20 ? `and ${state.ranked - 20} more`
    : state.ranked ? '' : 'no lap times yet');
});
drawMap();
