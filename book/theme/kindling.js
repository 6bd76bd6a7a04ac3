'use strict';

/* global book_root, book_words */

// What mdBook's own frame lacks: a search in every language, and a way to the other language that keeps the place.
(function book() {
    document.querySelectorAll('.language-link').forEach(link => {
        link.addEventListener('click', () => {
            link.hash = window.location.hash;
        });
    });

    const toggle = document.getElementById('book-search-toggle');
    if (!toggle) {
        return;
    }
    const words = book_words.search;
    const root = new URL(book_root || './', document.baseURI);
    let dialog = null;
    let pagefind = null;
    let latest = 0;

    function element(name, attributes = {}, ...children) {
        const made = document.createElement(name);
        Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
        made.append(...children);
        return made;
    }

    async function engine() {
        if (!pagefind) {
            pagefind = await import(new URL('pagefind/pagefind.js', root).href);
            await pagefind.options({ excerptLength: words.excerpt });
            await pagefind.init();
        }
        return pagefind;
    }

    function build() {
        const input = element('input', {
            type: 'search', id: 'book-search-input', placeholder: words.placeholder,
            'aria-label': words.placeholder, autocomplete: 'off', spellcheck: 'false',
        });
        const close = element('button', { type: 'button', class: 'book-search-close', 'aria-label': words.close }, 'Esc');
        const status = element('p', { class: 'book-search-status', role: 'status' });
        const results = element('ol', { class: 'book-search-results' });
        dialog = element('dialog', { id: 'book-search', 'aria-label': toggle.getAttribute('aria-label') },
            element('div', { class: 'book-search-bar' }, input, close), status, results);
        document.body.append(dialog);
        close.addEventListener('click', () => dialog.close());
        dialog.addEventListener('click', event => {
            if (event.target === dialog) {
                dialog.close();
            }
        });
        let timer = 0;
        input.addEventListener('input', () => {
            clearTimeout(timer);
            timer = setTimeout(() => search(input.value.trim(), status, results), 120);
        });
        dialog.addEventListener('keydown', event => {
            const links = Array.from(results.querySelectorAll('a'));
            const at = links.indexOf(document.activeElement);
            if (event.key === 'ArrowDown' && links.length) {
                event.preventDefault();
                links[Math.min(at + 1, links.length - 1)].focus();
            } else if (event.key === 'ArrowUp' && at >= 0) {
                event.preventDefault();
                (links[at - 1] || input).focus();
            } else if (event.key === 'Enter' && document.activeElement === input && links.length) {
                links[0].click();
            }
            event.stopPropagation();
        });
    }

    async function search(query, status, results, limit = 8) {
        const turn = ++latest;
        if (!query) {
            status.textContent = '';
            results.replaceChildren();
            return;
        }
        let found;
        try {
            found = await (await engine()).search(query);
        } catch (error) {
            status.textContent = words.missing;
            return;
        }
        const pages = await Promise.all(found.results.slice(0, limit).map(result => result.data()));
        if (turn !== latest) {
            return;
        }
        status.textContent = found.results.length ? words.found[found.results.length === 1 ? 0 : 1].replace('{count}', found.results.length) : words.none;
        results.replaceChildren(...pages.map(result));
        if (found.results.length > limit) {
            const more = element('button', { type: 'button', class: 'book-search-more' }, words.more);
            more.addEventListener('click', () => search(query, status, results, limit + 16));
            results.append(element('li', {}, more));
        }
    }

    function result(page) {
        const sections = page.sub_results.filter(section => section.url !== page.url && section.title !== page.meta.title).slice(0, 3);
        const item = element('li', {}, link(page.url, page.meta.title, page.excerpt));
        sections.forEach(section => item.append(link(section.url, section.title, section.excerpt, 'book-search-section')));
        return item;
    }

    // The excerpt is Pagefind's: escaped text with <mark> around the words.
    function link(url, title, excerpt, kind = 'book-search-page') {
        const text = element('span', { class: 'book-search-excerpt' });
        text.innerHTML = excerpt;
        const made = element('a', { href: url, class: kind }, element('strong', {}, title), text);
        made.addEventListener('click', () => dialog.close());
        return made;
    }

    function open() {
        if (!dialog) {
            build();
        }
        if (!dialog.open) {
            dialog.showModal();
            engine().catch(() => { });
        }
        dialog.querySelector('input').select();
    }

    toggle.addEventListener('click', open);
    document.addEventListener('keydown', event => {
        const typing = /^(?:input|select|textarea)$/i.test(event.target.nodeName) || event.target.isContentEditable;
        const plain = !event.altKey && !event.ctrlKey && !event.metaKey;
        const shortcut = (event.ctrlKey || event.metaKey) && event.key === 'k';
        if (shortcut || (plain && !typing && (event.key === 's' || event.key === '/'))) {
            event.preventDefault();
            open();
        }
    });
})();
