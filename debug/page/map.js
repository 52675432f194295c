// ---- The levels ----

const levels = 9, buckets = 64, barHeight = 18, rowHeight = 37;
const keepRow = 60; // seconds for which a row, or a box, stays that has become empty
const cells = []; // by level and bucket
const lengths = [], totals = [], axes = [], headings = []; // texts beside the rows, below each, and above all
const axisAt = [16, 32, 48, 64]; // the buckets at which the axis has a time, beside that of now
const filled = []; // by level, when it last had a timer: ms of the page
let chosen = null, shown = null; // the described bucket; the last Report

// heat returns the class of a cell, from the number of digits of its count.
const heat = (n) => "h" + (n === 0 ? 0 : Math.min(7, String(n).length));

const drawMap = () => {
	const map = byId("map");
	for (const anchor of ["end", "start", "end"]) headings.push(draw(map, "text", { "text-anchor": anchor, class: "heading" }));
	for (let l = 0; l < levels; l++) {
		const row = draw(map, "g", { class: "row" });
		lengths.push(draw(row, "text", { "text-anchor": "end" }));
		axes.push([...axisAt, "now"].map((b) => draw(row, "text", { "text-anchor": b === buckets ? "end" : "middle" })));
		totals.push(draw(row, "text", { "text-anchor": "end", class: "total" }));
		cells.push([]);
		for (let b = 0; b < buckets; b++) {
			const rect = draw(row, "rect", { class: "h0" });
			rect.dataset.level = l;
			rect.dataset.bucket = b;
			rect.dataset.timers = 0;
			cells[l].push({ rect, title: draw(rect, "title") });
		}
	}
	new ResizeObserver(layOut).observe(map);
};

// nowOf returns the bucket of a level in which now is.
const nowOf = (l) => shown ? Math.floor(-shown.levels[l].from / shown.levels[l].span) : 0;

const rowOf = (l) => byId("map").querySelectorAll(".row")[l];
const isFolded = (l) => rowOf(l).hasAttribute("hidden");

// layOut fits the map to the width of the page without scaling its letters.
const layOut = () => {
	const map = byId("map"), width = map.clientWidth, narrow = width < 600;
	if (width === 0) return; // not shown yet
	const left = narrow ? 64 : 92, to = width - (narrow ? 52 : 84);
	const cellWidth = (to - left) / buckets, space = Math.min(2, cellWidth / 5);
	const set = (element, attributes) => {
		for (const key in attributes) element.setAttribute(key, attributes[key]);
	};
	["a bucket", "earlier → later", "timers"].forEach((text, h) => {
		set(headings[h], { x: [left - 8, left, width][h], y: 13 });
		setText(headings[h], text);
	});
	let y = 20;
	for (let l = 0; l < levels; l++) {
		if (isFolded(l)) continue;
		for (const [text, x] of [[lengths[l], left - 8], [totals[l], width]]) set(text, { x, y: y + 14 });
		const now = nowOf(l), room = narrow ? 20 : 5; // buckets between two times
		axes[l].forEach((text, k) => {
			const b = axisAt[k] === undefined ? now + .5 : axisAt[k];
			set(text, { x: left + b * cellWidth, y: y + barHeight + 12 });
			text.toggleAttribute("hidden", k < axisAt.length && (Math.abs(b - now) < room || narrow && b % 32 !== 0));
		});
		cells[l].forEach(({ rect }, b) => set(rect, {
			x: left + b * cellWidth + space / 2, y: y + 1, width: cellWidth - space, height: barHeight, rx: space,
		}));
		y += rowHeight;
	}
	map.setAttribute("viewBox", `0 0 ${width} ${y}`);
};

const drawLegend = () => {
	["0", "1", "10", "100", "1 k", "10 k", "100 k", "1 M"].forEach((text, k) => {
		const entry = make(byId("legend"), "span");
		make(entry, "span", "key h" + k);
		entry.append(" " + text + (k > 1 ? "+" : k === 1 ? "–9" : ""));
	});
	byId("legend").append("timers");
};

// onTick rounds a time on the wheel, which knows nothing finer than its tick.
const onTick = (r, seconds) => span(Math.round(seconds / r.options.tick) * r.options.tick);

const axisTime = (r, seconds) => (seconds < 0 ? "−" : "+") + onTick(r, Math.abs(seconds));

// describe returns the times of a bucket and the number of its timers.
const describe = (r, l, b) => {
	const level = r.levels[l];
	const from = level.from + b * level.span, to = from + level.span;
	const when = to <= 0 ? "past" : from <= 0 ? "now, for another " + wheelSpan(to, r.options.tick) : "in " + onTick(r, from) + " to " + onTick(r, to);
	return `Level ${l}, bucket ${b}, ${when}: ` + count(level.timers[b], "timer", "timers");
};

// fold hides the rows that have been empty for a while, so that the page does not jump when a timer
// fires and the next is registered.
const fold = (r) => {
	const folded = [];
	r.levels.forEach((level, l) => {
		if (level.timers.some((n) => n > 0)) filled[l] = performance.now();
		const hide = !(performance.now() - filled[l] < keepRow * 1000) && !(chosen && chosen.l === l);
		rowOf(l).toggleAttribute("hidden", hide);
		if (hide) folded.push(span(level.span));
	});
	setText(byId("folded"), folded.length === levels ? "No timer is on a level." :
		folded.length > 0 ? `Empty, and folded away: ${count(folded.length, "row", "rows")} with buckets of ${folded.join(", ")}.` : "");
	layOut();
};

const showLevels = (r) => {
	r.levels.forEach((level, l) => {
		const now = nowOf(l);
		level.timers.forEach((n, b) => {
			const { rect, title } = cells[l][b];
			const name = heat(n) + (b === now ? " now" : "") + (chosen && chosen.l === l && chosen.b === b ? " chosen" : "");
			if (rect.getAttribute("class") !== name) rect.setAttribute("class", name);
			rect.dataset.timers = n;
			setText(title, describe(r, l, b));
		});
		setText(lengths[l], span(level.span));
		axes[l].forEach((text, k) => setText(text, axisAt[k] === undefined ? "now" : axisTime(r, level.from + axisAt[k] * level.span)));
		setText(totals[l], number(level.timers.reduce((a, b) => a + b)));
	});
	fold(r);
	if (chosen) setText(byId("cell"), describe(r, chosen.l, chosen.b));
	setText(byId("off"), `Not in these rows: ${number(r.due)} due and in line for a worker; ${number(r.held)} due and held by their own run or their lock` +
		(r.options.manual ? `; ${number(r.deferred)} left to the next Advance.` : "."));
};

const choose = (l, b) => {
	if (chosen) cells[chosen.l][chosen.b].rect.classList.remove("chosen");
	chosen = { l, b };
	cells[l][b].rect.classList.add("chosen");
	setText(byId("cell"), describe(shown, l, b));
};

byId("map").addEventListener("pointerover", (event) => {
	const { level, bucket } = event.target.dataset;
	if (bucket !== undefined && shown) choose(Number(level), Number(bucket));
});

// nextRow returns the next row that is not folded.
const nextRow = (l, step) => {
	for (let k = 0; k < levels; k++) {
		l = (l + step + levels) % levels;
		if (!isFolded(l)) return l;
	}
	return l;
};

byId("map").addEventListener("keydown", (event) => {
	const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
	if (!move || !shown) return;
	event.preventDefault();
	if (!chosen) return choose(nextRow(-1, 1), 0);
	choose(move[0] ? nextRow(chosen.l, move[0]) : chosen.l, (chosen.b + move[1] + buckets) % buckets);
});
