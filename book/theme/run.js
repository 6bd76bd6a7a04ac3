// Run buttons. They appear only where `cargo course up` serves the page: it puts a mark into each. What lets a page run code is
// a cookie, which the browser got from the address that `up` printed.
(() => {
    'use strict';
    const served = document.querySelector('meta[name="kindling-server"]');
    const cells = [...document.querySelectorAll('.cell[data-cell]')];
    if (!served || cells.length === 0) {
        return;
    }

    const words = {
        en: {
            run: 'Run', stop: 'Stop', restart: 'Restart', all: 'Run all',
            preparing: 'The kernel is being prepared: once, for a few minutes. A cell that you run waits for it.',
            warming: 'The kernel is starting.', ready: 'The kernel is ready.', unavailable: 'No kernel: ',
            gone: 'The course has ended. Start it again with `cargo course up`, and open the address that it prints.',
            waiting: 'waiting for the kernel …', running: 'running …', queued: 'waits for its turn',
            stopped: 'stopped', lost: 'the kernel was lost: ', took: 'ran in', failed: 'ended with an error after',
            restarted: 'A fresh kernel: all variables are gone.', changed: 'The page has changed.', reload: 'Reload',
            fresh: ': all variables are gone', leftOut: (count, what) => `… ${count} ${what} left out …`,
            lines: ['line', 'lines'], characters: ['character', 'characters'], stderr: 'Standard error',
            wait: 'Another `cargo course` prepares it.',
            part: (part, parts) => `Part ${part} of ${parts}: `,
            steps: { none: '', fetching: 'fetching ', compiling: 'compiling ' },
            doing: {
                search: 'the search of the book', kernel: 'the notebook kernel', cell: 'a first cell, as a trial',
                crates: (extra) => extra ?? 'Candle and the support crate',
            },
            count: (done, total) => `, ${done} of ${total}`,
            left: (minutes) => (minutes > 1 ? `, about ${minutes} minutes left` : ', less than a minute left'), end: '.',
        },
        zh: {
            run: '运行', stop: '停止', restart: '重启', all: '全部运行',
            preparing: '正在准备内核，只需一次，要几分钟。现在运行的单元格会等它就绪。',
            warming: '内核正在启动。', ready: '内核已就绪。', unavailable: '没有内核：',
            gone: '课程服务已结束。请重新运行 `cargo course up`，再打开它显示的地址。',
            waiting: '等待内核……', running: '运行中……', queued: '排队中',
            stopped: '已停止', lost: '内核意外终止：', took: '用时', failed: '出错，用时',
            restarted: '已换成新的内核，所有变量都已清除。', changed: '页面已更新。', reload: '刷新',
            fresh: '，所有变量都已清除', leftOut: (count, what) => `……省略 ${count} ${what}……`,
            lines: ['行', '行'], characters: ['个字符', '个字符'], stderr: '标准错误输出',
            wait: '另一个 `cargo course` 正在准备。',
            part: (part, parts) => `第 ${part} 步（共 ${parts} 步）：`,
            steps: { none: '', fetching: '下载', compiling: '编译' },
            doing: {
                search: '本书的搜索', kernel: '笔记本内核', cell: '试运行第一个单元格',
                crates: (extra) => (extra ? ` ${extra}` : ' Candle 和支持库'),
            },
            count: (done, total) => `，${done}/${total}`,
            left: (minutes) => (minutes > 1 ? `，大约还需 ${minutes} 分钟` : '，不到一分钟'), end: '。',
        },
    }[document.documentElement.lang.startsWith('zh') ? 'zh' : 'en'];

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
        const what = words.doing[doing];
        const name = typeof what === 'function' ? what(extra) : what;
        const count = total > 0 ? words.count(done, total) : '';
        const left = seconds === undefined ? '' : words.left(Math.ceil(seconds / 60));
        return words.part(part, parts) + words.steps[step] + name + count + left + words.end;
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
        view.text = null;
        view.fresh = true;
    }

    // A table of the course's own making: its elements, and no attributes. Other HTML is not shown.
    function tableOf(html) {
        const body = new DOMParser().parseFromString(html, 'text/html').body;
        const known = ['TABLE', 'THEAD', 'TBODY', 'TR', 'TH', 'TD', 'P'];
        const plain = [...body.querySelectorAll('*')]
            .every((part) => known.includes(part.tagName) && part.attributes.length === 0);
        if (!plain || !body.querySelector('table')) {
            return null;
        }
        const box = element('div', 'output-table');
        box.append(...body.childNodes);
        return box;
    }

    // Appends what was printed. Lines that are complete stay as they are; only the last one may still change.
    function print(view, name, text) {
        if (view.text?.name !== name) {
            const box = element('pre', name === 'stderr' ? 'output output-warning' : 'output');
            if (name === 'stderr') {
                box.setAttribute('aria-label', words.stderr);
            }
            const last = document.createTextNode('');
            box.append(last);
            view.outputs.append(box);
            view.text = { name, box, last, raw: '', newline: '' };
        }
        const part = view.text;
        const lines = (part.raw + text).split('\n');
        part.raw = lines.pop();
        if (lines.length > 0) {
            part.last.before(part.newline + lines.map(shown).join('\n'));
            // It is shown when something follows it.
            part.newline = '\n';
        }
        // Of what a carriage return overwrites nothing is kept.
        part.raw = part.raw.slice(Math.max(0, part.raw.lastIndexOf('\r', part.raw.length - 2)));
        const rest = shown(part.raw);
        part.last.data = rest === '' ? '' : part.newline + rest;
    }

    // A carriage return starts the line again: a progress line shows its last state, and nothing once it is erased.
    function shown(line) {
        const erased = line.startsWith('\r') && line.endsWith('\r');
        return erased ? '' : line.replace(/\r+$/, '').split('\r').at(-1).trimEnd();
    }

    // How much is not shown; told again and again while it grows.
    function leaveOut(view, { lines, characters }) {
        const [count, what] = lines > 0 ? [lines, words.lines] : [characters, words.characters];
        const text = words.leftOut(count.toLocaleString('en'), what[count === 1 ? 0 : 1]);
        const last = view.outputs.lastElementChild;
        if (last?.classList.contains('output-left-out')) {
            last.textContent = text;
        } else {
            view.outputs.append(element('p', 'output-left-out', text));
        }
    }

    function show(view, output) {
        if (output.output_type === 'stream') {
            print(view, output.name, [].concat(output.text).join(''));
            return;
        }
        view.text = null;
        if (output.output_type === 'error') {
            const box = element('div', 'output-error');
            const lines = output.traceback.length > 0 ? output.traceback.join('\n') : output.evalue;
            // eslint-disable-next-line no-control-regex
            box.append(element('pre', 'output', lines.replace(/\u001b\[[0-9;]*m/g, '')));
            view.outputs.append(box);
            return;
        }
        const data = output.data ?? {};
        const leftOut = data['application/vnd.kindling.left-out+json'];
        if (leftOut) {
            leaveOut(view, leftOut);
            return;
        }
        const svg = data['image/svg+xml'];
        if (svg) {
            const parsed = new DOMParser().parseFromString([].concat(svg).join(''), 'image/svg+xml').documentElement;
            if (parsed.nodeName === 'svg') {
                parsed.querySelectorAll('script').forEach((script) => script.remove());
                const figure = element('figure', '');
                figure.append(document.importNode(parsed, true));
                if (view.caption) {
                    figure.append(view.caption);
                    figure.firstChild.setAttribute('aria-label', view.caption.textContent);
                }
                view.outputs.append(figure);
                return;
            }
        }
        const table = tableOf([].concat(data['text/html'] ?? []).join(''));
        if (table) {
            view.outputs.append(table);
            return;
        }
        const plain = data['text/plain'];
        if (plain) {
            view.outputs.append(element('pre', 'output', [].concat(plain).join('')));
        }
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
        output: ({ cell, output }) => show(views.get(cell), output),
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
        const ask = new URLSearchParams({ crates: cells[0].dataset.crates ?? '' });
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
