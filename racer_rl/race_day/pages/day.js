// What both pages share: the stream of states, the clock, and words. Text goes in as text only.
'use strict';

const byId = (id) => document.getElementById(id);

function element(kind, text = '', classes = '') {
  const made = document.createElement(kind);
  made.textContent = text;
  made.className = classes;
  return made;
}

function say(id, text) {
  const place = byId(id);
  if (place.textContent !== text) place.textContent = text;
}

const seconds = (value) => value === null || value === undefined ? '–' : value.toFixed(2);
const words = (status) => status.replaceAll('_', ' ');
const NO_BREAK = '\u00a0';
const PHASES = {idle: 'Nobody on the track', ready: 'Ready to start', running: 'On the track',
  over: 'Run over'};

// The server says what the clock reads; from then on this machine's steady clock goes on.
const clock = {lap: null, run: 0, pace: 0, anchor: 0};

function setClock(run) {
  clock.anchor = performance.now();
  clock.pace = run ? run.pace : 0;
  clock.lap = run ? run.lap_clock_s : 0;
  clock.run = run ? run.clock_s : 0;
}

function showClock(state) {
  const ahead = clock.pace * (performance.now() - clock.anchor) / 1000;
  say('lap-clock', seconds(clock.lap === null ? clock.run : clock.lap + ahead));
  const run = state && state.run;
  const limit = state ? `of at most ${state.rules.time_limit_s} s` : '';
  say('total', run ? `run ${seconds(clock.run + ahead)} s ${limit}` : NO_BREAK);
}

function showRun(state) {
  const run = state.run, entry = state.on_track;
  say('phase', run && state.phase === 'over' ? `Run over: ${words(run.status)}`
    : PHASES[state.phase]);
  say('racer', entry ? entry.racer : NO_BREAK);
  say('model', entry && entry.model ? entry.model : NO_BREAK);
  const laps = run ? run.laps : [];
  const lap = Math.min(laps.length + 1, state.rules.laps);
  const causes = run ? Object.entries(run.causes).map(([name, count]) =>
    `${words(name)} ${count}`).join(', ') : '';
  say('counts', run ? `lap ${lap} of ${state.rules.laps} · best ${seconds(run.best_s)} s`
    : NO_BREAK);
  say('causes', run ? causes || 'no incident' : NO_BREAK);
  const list = byId('laps');
  const shown = JSON.stringify(laps);
  if (list.dataset.shown === shown) return;
  list.dataset.shown = shown;
  list.replaceChildren(...laps.map((each, index) => {
    const item = element('li', `${index + 1}: ${seconds(each.time_s)}`,
      (each.time_s === run.best_s ? 'best ' : '') + (each.clean ? '' : 'dirty'));
    if (!each.clean) item.title = 'with an incident';
    return item;
  }));
}

function follow(show) {
  let state = null;
  const source = new EventSource('/events');
  source.onopen = () => say('link', '');
  source.onerror = () => say('link', 'no connection to race day; trying again');
  source.onmessage = (message) => {
    state = JSON.parse(message.data);
    say('link', '');
    setClock(state.run);
    say('league', `${state.headline.league}: ${state.headline.race}`);
    say('race', `${state.headline.track}, timed ${state.headline.timed}`);
    say('news', state.trouble);
    byId('news').classList.toggle('bad', Boolean(state.trouble));
    showRun(state);
    show(state);
  };
  const draw = () => { showClock(state); requestAnimationFrame(draw); };
  draw();
}
