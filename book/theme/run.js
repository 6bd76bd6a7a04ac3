// Run buttons. They appear only where `cargo course up` serves the page: it puts a mark into each. What lets a page run code is
// a cookie, which the browser got from the address that `up` printed.
/* global book_words */
(() => {
    'use strict';
    const served = document.querySelector('meta[name="kindling-server"]');
    const cells = [...document.querySelectorAll('.cell[data-cell]')];
    if (!served || cells.length === 0) {
        return;
    }

    const words = book_words.run;
    const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

    const element = (tag, className, text = '') => {
        const made = document.createElement(tag);
        made.className = className;
        made.textContent = text;
        return made;
    };
    const button = (label, action) => {
        const made = element('button', 'run-button', label);
        made.type = 'button';
        made.addEventListener('click', action);
        return made;
    };

    // The line at the top of the page: how the kernel is, and what concerns all cells.
    const bar = element('div', 'run-bar');
    const status = element('span', 'run-status');
    status.setAttribute('role', 'status');
    // Not read aloud: it moves all the time.
    const progress = element('span', 'run-progress');
    bar.append(
        status,
        progress,
        button(words.all, () => runUpTo(cells.filter(isMain).at(-1), true)),
        button(words.stop, () => send({ type: 'interrupt' })),
        button(words.restart, restart),
    );
    const heading = document.querySelector('.content main h1');
    (document.querySelector('.page-info') ?? heading)?.after(bar);

    const views = new Map();
    for (const cell of cells) {
        const note = element('span', 'run-note');
        const outputs = cell.querySelector('.outputs') ?? cell.appendChild(element('div', 'outputs'));
        const row = element('div', 'run-row');
        const start = button(words.run, () => runUpTo(cell, false));
        start.setAttribute('aria-label', `${words.run}: ${cell.dataset.cell}`);
        row.append(start, note);
        outputs.before(row);
        views.set(cell.dataset.cell, { cell, note, outputs, done: false, queued: false, fresh: false });
    }

    // The numbers of a preparation, in words.
    function partOf({ doing, extra, part, parts, step, done, total, seconds_left: seconds }) {
        if (doing === 'wait') {
            return words.wait;
        }
        const name = doing === 'crates' && extra ? fill(words.doing.extra, { extra }) : words.doing[doing];
        const count = total > 0 ? fill(words.count, { done, total }) : '';
        const minutes = Math.ceil(seconds / 60);
        const left = seconds === undefined ? '' : fill(words.left[minutes > 1 ? 1 : 0], { minutes });
        return fill(words.part, { part, parts }) + words.steps[step] + name + count + left + words.end;
    }

    function isMain(cell) {
        return !cell.closest('details') && ['run', 'no_run'].includes(cell.dataset.kind);
    }

    function code(cell) {
        return cell.querySelector('pre > code').textContent;
    }

    // A cell needs the variables of those before it: those that have not run are run first.
    function runUpTo(last, again) {
        if (!last) {
            return;
        }
        for (const cell of cells) {
            const view = views.get(cell.dataset.cell);
            const needed = cell === last || (isMain(cell) && (again || !view.done));
            if (needed && !view.queued) {
                view.queued = true;
                view.note.textContent = words.queued;
                send({ type: 'run', cell: cell.dataset.cell, code: code(cell) });
            }
            if (cell === last) {
                return;
            }
        }
    }

    function restart() {
        send({ type: 'restart' });
        for (const view of views.values()) {
            Object.assign(view, { done: false, queued: false });
            view.note.textContent = '';
        }
        status.textContent = words.restarted;
    }

    // What a cell shows takes the place of what is stored; a figure keeps its caption.
    function clear(view) {
        view.caption = view.outputs.querySelector('figcaption') ?? view.caption;
        view.outputs.replaceChildren();
        view.last = null;
        view.fresh = true;
    }

    // Appends what the server made; a new drawing takes the caption of the stored one.
    function show(view, html, replace) {
        if (replace) {
            view.outputs.lastElementChild.remove();
        }
        view.outputs.insertAdjacentHTML('beforeend', html);
        view.last = null;
        const shown = view.outputs.lastElementChild;
        if (view.caption && shown.matches('figure')) {
            shown.append(view.caption);
            shown.firstElementChild.setAttribute('aria-label', view.caption.textContent);
        }
    }

    // Adds lines to what was appended last. Only the line after them may still change.
    function print(view, lines, last) {
        if (!view.last) {
            view.last = document.createTextNode('');
            view.outputs.lastElementChild.append(view.last);
        }
        view.last.before(lines);
        view.last.data = last;
    }

    const on = {
        status: ({ state, message, progress: numbers }) => {
            const sentence = words[state] + (state === 'unavailable' ? message : '');
            if (status.textContent !== sentence) {
                status.textContent = sentence;
            }
            progress.textContent = numbers ? partOf(numbers) : '';
            bar.dataset.state = state;
        },
        waiting: ({ cell }) => { views.get(cell).note.textContent = words.waiting; },
        started: ({ cell }) => {
            const view = views.get(cell);
            clear(view);
            view.note.textContent = words.running;
            view.cell.classList.add('is-running');
        },
        output: ({ cell, html, replace }) => show(views.get(cell), html, replace),
        print: ({ cell, lines, last }) => print(views.get(cell), lines, last),
        finished: ({ cell, result, message, seconds, fresh }) => {
            const view = views.get(cell);
            view.queued = false;
            view.done = result === 'ok';
            view.cell.classList.remove('is-running');
            const time = `${seconds.toFixed(1)} s`;
            view.note.textContent = {
                ok: `${words.took} ${time}`, error: `${words.failed} ${time}`,
                stopped: words.stopped + (fresh ? words.fresh : ''), lost: words.lost + message,
            }[result] ?? result;
            if (fresh) {
                views.forEach((other) => { other.done = false; });
            }
        },
        problem: ({ message }) => { status.textContent = message; },
        reload: () => {
            // Running cells keep their outputs; otherwise the page is simply the newest.
            if ([...views.values()].some((view) => view.fresh)) {
                status.textContent = words.changed;
                status.append(' ', button(words.reload, () => location.reload()));
            } else {
                location.reload();
            }
        },
    };

    let socket;
    let waiting = [];
    function connect() {
        const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
        const ask = new URLSearchParams({ crates: cells[0].dataset.crates ?? '', language: document.documentElement.lang });
        socket = new WebSocket(`${scheme}://${location.host}/api/kernel?${ask}`);
        socket.addEventListener('open', () => {
            waiting.forEach((message) => socket.send(message));
            waiting = [];
        });
        socket.addEventListener('message', ({ data }) => {
            const event = JSON.parse(data);
            on[event.type]?.(event);
        });
        socket.addEventListener('close', () => {
            bar.dataset.state = 'unavailable';
            status.textContent = words.gone;
            progress.textContent = '';
        });
    }
    function send(message) {
        const text = JSON.stringify(message);
        if (socket.readyState === WebSocket.OPEN) {
            socket.send(text);
        } else {
            waiting.push(text);
        }
    }
    connect();
})();
