// What a reader finds on the page that is open, for `tests/browser.rs`: an expression that gives JSON.
(async () => {
    await document.fonts.ready;
    const main = document.querySelector('main');
    // A reader may unfold all of it.
    main.querySelectorAll('details').forEach((fold) => { fold.open = true; });
    main.querySelectorAll('.hide-boring').forEach((code) => code.classList.remove('hide-boring'));

    const all = (selector, root = main) => [...root.querySelectorAll(selector)];
    // Where on the page, as a maintainer would look for it.
    const place = (element) => {
        const name = element.tagName.toLowerCase() + [...element.classList].map((word) => `.${word}`).join('');
        const near = element.closest('[id]');
        return near && near !== element && main.contains(near) ? `#${near.id} ${name}` : name;
    };
    const scrolls = (element) => ['auto', 'scroll'].includes(getComputedStyle(element).overflowX);
    const excess = (element) => element.scrollWidth - element.clientWidth;

    // What scrolls inside the page, and by how much the page itself is too wide: what scrolls is a box around <main>.
    const wide = all('*').filter((element) => scrolls(element) && excess(element) > 0)
        .map((element) => `${place(element)} needs ${element.scrollWidth} px and has ${element.clientWidth}`);
    const frames = [];
    for (let frame = main.parentElement; frame; frame = frame.parentElement) {
        frames.push(excess(frame));
    }

    // Contrast as the Web Content Accessibility Guidelines define it.
    const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
    // Each colour is drawn once, and each box asked once.
    const once = (answer, known = new Map()) => (asked) => {
        if (!known.has(asked)) {
            known.set(asked, answer(asked));
        }
        return known.get(asked);
    };
    const rgba = once((color) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    });
    const luminance = (color) => rgba(color).slice(0, 3)
        .map((part) => part / 255)
        .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    // The colour under an element: most have none of their own.
    const ground = once((element) => {
        const color = element ? getComputedStyle(element).backgroundColor : 'white';
        return rgba(color)[3] === 255 ? color : ground(element.parentElement);
    });
    const contrasts = new Map();
    const faint = [];
    for (const element of all('p, li, td, th, h1, h2, h3, a, code, code span, pre.output, figcaption, summary')) {
        const [ink, paper] = [getComputedStyle(element).color, ground(element)];
        const key = `${ink} on ${paper}`;
        if (!contrasts.has(key)) {
            const [light, dark] = [luminance(ink), luminance(paper)].sort((a, b) => b - a);
            const contrast = (light + 0.05) / (dark + 0.05);
            contrasts.set(key, contrast);
            if (contrast < 4.5) {
                faint.push(`${place(element)} has a contrast of ${contrast.toFixed(1)} (${key})`);
            }
        }
    }

    // What is said of buttons, links and fields in words that are not shown.
    const said = all('[title], [aria-label], [placeholder]', document.body)
        .filter((element) => !element.closest('svg, figure, .katex, [hidden]'))
        .flatMap((element) => ['title', 'aria-label', 'placeholder'].map((name) => element.getAttribute(name)))
        .filter(Boolean);
    const pictures = all('img, svg[role=img]');
    return JSON.stringify({
        headings: all('h1').filter((heading) => heading.textContent.trim()).length,
        cells: all('.cell[data-cell]').length,
        shown: all('.cell:not([data-cell])').length,
        captions: all('figcaption').length,
        formulas: all('.katex-display').length,
        unnamed: pictures.filter((picture) => !(picture.alt || picture.getAttribute('aria-label'))).map(place),
        wide,
        sideways: Math.max(...frames),
        shade: luminance(ground(main)),
        faint,
        english: said.filter((text) => !/\p{Script=Han}/u.test(text)),
        ids: all('[id]', document).map((element) => element.id),
        links: all('a[href]').map((link) => link.href).filter((link) => link.startsWith(location.origin)),
    });
})()
