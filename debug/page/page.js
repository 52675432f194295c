"use strict";
(() => {
	// ---- Elements and texts ----

	const byId = (id) => document.getElementById(id);

	// setText sets an element's text if it has changed.
	const setText = (element, text) => {
		if (element.textContent !== text) element.textContent = text;
	};

	const make = (parent, name, className, text) => {
		const element = document.createElement(name);
		if (className) element.className = className;
		if (text !== undefined) element.textContent = text;
		return parent.appendChild(element);
	};

	const draw = (parent, name, attributes, text) => {
		const element = document.createElementNS("http://www.w3.org/2000/svg", name);
		for (const key in attributes) element.setAttribute(key, attributes[key]);
		if (text !== undefined) element.textContent = text;
		return parent.appendChild(element);
	};

	const number = (n) => n.toLocaleString("en");

	// short formats a number in few characters.
	const short = (n) => {
		for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
			if (n >= size) return (n / size).toPrecision(3) + " " + unit;
		}
		return n < 10 && n !== Math.round(n) ? n.toFixed(1) : String(Math.round(n));
	};

	const units = [["y", 365.25 * 86400], ["d", 86400], ["h", 3600], ["min", 60], ["s", 1], ["ms", 1e-3], ["µs", 1e-6], ["ns", 1e-9]];

	// span formats a time in one unit.
	const span = (seconds) => {
		if (seconds <= 0) return "0 s";
		const k = units.findIndex(([, size]) => seconds >= size);
		const [unit, size] = units[k < 0 ? units.length - 1 : k];
		const value = seconds / size;
		if (value >= 10_000) return number(Math.round(value)) + " " + unit;
		return String(Number(value.toPrecision(3))) + " " + unit;
	};

	const clock = (date) => date.toLocaleTimeString("en-GB");
	const count = (n, one, many) => number(n) + " " + (n === 1 ? one : many);

	// functionOf and lineOf split "function file:line". A function's name has no space.
	const functionOf = (handler) => handler.split(" ", 1)[0];
	const lineOf = (handler) => handler.slice(functionOf(handler).length + 1);
	const lastPart = (path) => path.slice(path.lastIndexOf("/") + 1);

	// ---- The counters ----

	const rate = (field) => (sample, before, seconds) => before && (sample[field] - before[field]) / seconds;
	const level = (field) => (sample) => sample[field];
	const numbers = [
		{ name: "Next firing", now: (r) => r.next === null ? "none" : r.next === 0 ? "now" : "in " + span(r.next), more: (r) => r.next === null ? "no timer is pending" : nextAt(r) },
		{ name: "Pending", value: level("pending"), now: (r) => short(r.stats.pending), more: (r) => number(r.stats.pending) },
		{ name: "Alive", value: level("live"), now: (r) => short(r.stats.live), more: (r) => number(r.stats.live) },
		{ name: "Running", value: level("running"), now: (r) => number(r.stats.running), more: (r) => "of at most " + number(r.options.max_workers) },
		{ name: "Goroutines", value: level("workers"), now: (r) => number(r.stats.workers), more: (r) => r.options.manual ? "Manual: the host's" : "of the wheel" },
		{ name: "Storage", value: level("bytes"), now: (r) => short(r.stats.bytes) + "B", more: (r) => r.stats.live === 0 ? "no timer is alive" : short(r.stats.bytes / r.stats.live) + "B a timer" },
		{ name: "Registered a second", value: rate("registered"), more: (r) => short(r.stats.registered) + " in all" },
		{ name: "Fired a second", value: rate("fired"), more: (r) => short(r.stats.fired) + " in all" },
		{ name: "Removed a second", value: rate("removed"), more: (r) => short(r.stats.removed) + " in all" },
		{ name: "Refused a second", value: rate("refused"), more: (r) => short(r.stats.refused) + " in all" },
		{ name: "Waits a second", value: rate("sync_waits"), more: (r) => short(r.stats.sync_waits) + " in all" },
		{ name: "Misuses", value: level("misuses"), now: (r) => short(r.stats.misuses), more: (r) => r.stats.misuses === 0 ? "" : r.options.on_misuse ? "reported to OnMisuse" : r.options.debug ? "lines in their errors" : "lines with Debug" },
	];
	const minutes = 5; // shown by the curves
	const gap = 5; // seconds without a sample that interrupt a curve

	const nextAt = (r) => r.next < 86400 ? "at " + clock(new Date(Date.parse(r.now) + r.next * 1000)) : "";

	for (const n of numbers) {
		const box = make(byId("numbers"), "div", "number");
		const list = make(box, "dl");
		make(list, "dt", "", n.name);
		n.dd = make(list, "dd", "", "–");
		n.note = make(box, "p", "more");
		n.svg = draw(box, "svg", { class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" });
		if (!n.value) continue;
		draw(n.svg, "line", { x1: 0, x2: 100, y1: 29, y2: 29 });
		n.path = draw(n.svg, "path", {});
	}

	// curve returns the path through points. The highest of them touches the top.
	const curve = (points, end) => {
		const top = Math.max(1, ...points.map((p) => p.y));
		let path = "", last = -Infinity;
		for (const p of points) {
			const x = 100 - (end - p.at) / (minutes * 60) * 100;
			path += (p.at - last > gap ? "M" : "L") + x.toFixed(2) + " " + (28.5 - p.y / top * 27).toFixed(2);
			last = p.at;
		}
		return path;
	};

	let samples = [];

	const showNumbers = (r) => {
		const end = samples.length ? samples[samples.length - 1].seconds : 0;
		for (const n of numbers) {
			const points = [];
			samples.forEach((sample, k) => {
				const before = k > 0 ? samples[k - 1] : undefined;
				const y = n.value && n.value(sample, before, before ? sample.seconds - before.seconds : 0);
				if (y !== undefined) points.push({ at: sample.seconds, y });
			});
			setText(n.dd, n.now ? n.now(r) : points.length ? short(points[points.length - 1].y) : "–");
			setText(n.note, n.more(r));
			if (n.path) n.path.setAttribute("d", curve(points, end));
		}
	};

	// ---- The levels ----

	const levels = 9, buckets = 64, rowHeight = 20;
	const cells = []; // by level and bucket
	const totals = [], spans = [];
	let chosen = null, shown = null; // the described bucket; the last Report

	// heat returns the class of a cell, from the number of digits of its count.
	const heat = (n) => "h" + (n === 0 ? 0 : Math.min(7, String(n).length));

	const drawMap = () => {
		const map = byId("map");
		for (let l = 0; l < levels; l++) {
			spans.push(draw(map, "text", { "text-anchor": "end" }));
			totals.push(draw(map, "text", { "text-anchor": "end", class: "total" }));
			cells.push([]);
			for (let b = 0; b < buckets; b++) {
				const rect = draw(map, "rect", { class: "h0" });
				rect.dataset.level = l;
				rect.dataset.bucket = b;
				rect.dataset.timers = 0;
				cells[l].push({ rect, title: draw(rect, "title") });
			}
		}
		new ResizeObserver(layOut).observe(map);
	};

	// layOut fits the map to the width of the page without scaling its letters.
	const layOut = () => {
		const map = byId("map"), width = map.clientWidth, left = width < 600 ? 76 : 104, right = width < 600 ? 58 : 84;
		const cellWidth = (width - left - right) / buckets, space = Math.min(2, cellWidth / 5);
		map.setAttribute("viewBox", `0 0 ${width} ${levels * rowHeight}`);
		const set = (element, attributes) => {
			for (const key in attributes) element.setAttribute(key, attributes[key]);
		};
		for (let l = 0; l < levels; l++) {
			const y = l * rowHeight;
			set(spans[l], { x: left - 6, y: y + 14 });
			set(totals[l], { x: width, y: y + 14 });
			cells[l].forEach(({ rect }, b) => set(rect, {
				x: left + b * cellWidth + space / 2, y: y + 1, width: cellWidth - space, height: rowHeight - 2, rx: space,
			}));
		}
	};

	const drawLegend = () => {
		["0", "1", "10", "100", "1 k", "10 k", "100 k", "1 M"].forEach((text, k) => {
			const entry = make(byId("legend"), "span");
			make(entry, "span", "key h" + k);
			entry.append(" " + text + (k > 1 ? "+" : k === 1 ? "–9" : ""));
		});
	};

	// describe returns the times of a bucket and the number of its timers.
	const describe = (r, l, b) => {
		const level = r.levels[l];
		const from = level.from + b * level.span, to = from + level.span;
		const when = to <= 0 ? "past" : from <= 0 ? "now, for another " + span(to) : "in " + span(from) + " to " + span(to);
		return `Level ${l}, bucket ${b}, ${when}: ` + count(level.timers[b], "timer", "timers");
	};

	const showLevels = (r) => {
		r.levels.forEach((level, l) => {
			const now = Math.floor(-level.from / level.span);
			level.timers.forEach((n, b) => {
				const { rect, title } = cells[l][b];
				const name = heat(n) + (b === now ? " now" : "") + (chosen && chosen.l === l && chosen.b === b ? " chosen" : "");
				if (rect.getAttribute("class") !== name) rect.setAttribute("class", name);
				rect.dataset.timers = n;
				setText(title, describe(r, l, b));
			});
			setText(spans[l], `${l} · ${span(level.span)}`);
			const total = level.timers.reduce((a, b) => a + b);
			setText(totals[l], total === 0 ? "" : number(total));
		});
		if (chosen) setText(byId("cell"), describe(r, chosen.l, chosen.b));
		setText(byId("off"), `Not shown above: ${number(r.due)} due and in line for a worker, ${number(r.held)} held by their own run or their lock` +
			(r.options.manual ? `, ${number(r.deferred)} left to the next Advance.` : "."));
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

	byId("map").addEventListener("keydown", (event) => {
		const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
		if (!move || !shown) return;
		event.preventDefault();
		const { l, b } = chosen || { l: 0, b: 0 };
		choose((l + move[0] + cells.length) % cells.length, (b + move[1] + buckets) % buckets);
	});

	// ---- The handlers in flight ----

	const kinds = { DelSync: "DelSync", DelAsync: "DelAsync", Group: "Group.DelSync" };

	// waiter names a deletion that waits, and its goroutine if it has one.
	const waiter = (wait) => {
		const what = `${kinds[wait.kind]}, ${span(wait.age)}`;
		return wait.goroutine === 0 ? what : `goroutine ${wait.goroutine} (${what})`;
	};

	const mostRuns = 256; // of a Report
	const rows = new Map(); // by goroutine, since and timer

	const makeRow = () => {
		const li = document.createElement("li");
		const top = make(li, "div", "top");
		const row = { li, name: make(top, "span", "name"), age: make(top, "span", "age") };
		row.line = make(make(li, "div", "detail"), "code");
		row.ids = make(li, "div", "detail");
		row.origin = make(li, "div", "detail");
		row.waiting = make(li, "div", "waited");
		row.waits = make(li, "div", "waited");
		return row;
	};

	const fillRow = (row, run, r) => {
		row.li.classList.toggle("stalled", run.age >= r.options.stall_after);
		setText(row.name, lastPart(functionOf(run.handler)));
		row.name.title = functionOf(run.handler);
		setText(row.age, "for " + span(run.age));
		setText(row.line, lineOf(run.handler));
		setText(row.ids, `${run.timer}, goroutine ${run.goroutine}, since ${clock(new Date(run.since))}`);
		setText(row.origin, [run.allocated_at && "allocated at " + run.allocated_at, run.registered_at && "registered at " + run.registered_at].filter(Boolean).join(", "));
		const others = run.waiters - run.waits.length;
		setText(row.waits, run.waiters === 0 ? "" : count(run.waiters, "deletion waits", "deletions wait") + " for it: " +
			run.waits.map(waiter).join(", ") + (others > 0 ? `, and ${number(others)} more` : ""));
		setText(row.waiting, run.waiting ? "waits in " + kinds[run.waiting.kind] + " for goroutine " + run.waits_for.join(", ") + ", for " + span(run.waiting.age) : "");
	};

	const showRuns = (r) => {
		const list = byId("run-list");
		const keys = r.runs.map((run) => run.goroutine + " " + run.since + " " + run.timer);
		const current = new Set(keys);
		for (const [key, row] of rows) {
			if (current.has(key)) continue;
			row.li.remove();
			rows.delete(key);
		}
		r.runs.forEach((run, k) => {
			let row = rows.get(keys[k]);
			if (!row) rows.set(keys[k], row = makeRow());
			if (list.children[k] !== row.li) list.insertBefore(row.li, list.children[k] || null);
			fillRow(row, run, r);
		});
		byId("no-runs").hidden = r.runs.length > 0;
		const n = r.runs.length;
		setText(byId("runs-title"), "Handlers in flight" + (n === 0 ? "" : n < mostRuns ? ": " + number(n) : `: the oldest ${n} of ${number(r.stats.running)}`));
	};

	// ---- Who waits for whom ----

	const boxWidth = 230, boxHeight = 40, columnGap = 50, rowGap = 14, mostBoxes = 60;

	// network returns the handlers that wait or for which deletions wait, and the deletions outside of handlers that wait for them. Each deletion is a
	// node. If many wait for one handler, one node stands for all of them.
	const network = (r) => {
		const nodes = new Map(), edges = [];
		const add = (id, node) => nodes.get(id) || (nodes.set(id, { id, ...node }), nodes.get(id));
		const handlers = new Map(r.runs.map((run) => [run.goroutine, run]));
		const involved = r.runs.filter((run) => run.waiters > 0 || run.waiting).slice(0, mostBoxes);
		for (const run of involved) {
			add("handler " + run.goroutine, {
				name: lastPart(functionOf(run.handler)),
				note: "runs for " + span(run.age),
				kind: run.waiting ? "handler" : "blocking",
				title: run.handler + ", " + run.timer,
			});
		}
		for (const run of involved) {
			const id = "handler " + run.goroutine;
			const inside = involved.filter((other) => other.waits_for.includes(run.goroutine));
			for (const other of inside) edges.push({ from: "handler " + other.goroutine, to: id });
			const outside = run.waits.filter((wait) => !(handlers.get(wait.goroutine) || {}).waiting);
			const n = run.waiters - inside.length;
			if (n > 3) {
				const oldest = outside.length ? Math.max(...outside.map((wait) => wait.age)) : 0;
				const from = add("all for " + id, { name: number(n) + " deletions", note: "wait, for " + span(oldest) + " and less", kind: "outside" });
				edges.push({ from: from.id, to: id });
				continue;
			}
			outside.forEach((wait, k) => {
				const from = wait.goroutine === 0
					? add(`async ${k} for ${id}`, { name: "a DelAsync", note: "since " + span(wait.age), kind: "outside" })
					: add("goroutine " + wait.goroutine, { name: "goroutine " + wait.goroutine, note: `${kinds[wait.kind]} for ${span(wait.age)}`, kind: "outside" });
				edges.push({ from: from.id, to: id });
			});
		}
		return { nodes, edges: edges.filter((e) => nodes.has(e.from) && nodes.has(e.to)) };
	};

	// rank returns the topmost row that a node waits for, so that nodes have the order of those that they wait for and few arrows cross. Nodes that
	// wait for none are above the others.
	const rank = (node, nodes, edges) => {
		const rows = edges.filter((e) => e.from === node.id).map((e) => nodes.get(e.to).row || 0);
		return rows.length ? Math.min(...rows) : -1;
	};

	// arrange gives each node a row, and a column to the right of all nodes that wait for it.
	const arrange = ({ nodes, edges }) => {
		for (const node of nodes.values()) node.column = 0;
		for (let n = 0, moved = true; moved && n < nodes.size; n++) { // bounded: a Report is no snapshot, so it may contain a circle
			moved = false;
			for (const { from, to } of edges) {
				if (nodes.get(to).column > nodes.get(from).column) continue;
				nodes.get(to).column = nodes.get(from).column + 1;
				moved = true;
			}
		}
		for (const { from, to } of edges) { // a node for which none waits is immediately left of what it waits for
			const node = nodes.get(from);
			if (!edges.some((e) => e.to === from)) node.column = Math.max(node.column, nodes.get(to).column - 1);
		}
		const heights = [];
		for (let column = Math.max(...[...nodes.values()].map((node) => node.column)); column >= 0; column--) {
			const stack = [...nodes.values()].filter((node) => node.column === column);
			stack.forEach((node) => node.rank = rank(node, nodes, edges));
			stack.sort((a, b) => a.rank - b.rank).forEach((node, row) => node.row = row);
			heights[column] = stack.length;
		}
		const most = Math.max(0, ...heights.filter(Boolean));
		for (const node of nodes.values()) {
			node.x = 1 + node.column * (boxWidth + columnGap);
			node.y = 1 + (node.row + (most - heights[node.column]) / 2) * (boxHeight + rowGap);
		}
		return { width: heights.length * (boxWidth + columnGap) - columnGap + 2, height: most * (boxHeight + rowGap) - rowGap + 2 };
	};

	const fit = (text, n) => text.length <= n ? text : "…" + text.slice(text.length - n + 1);

	const drawGraph = (graph, { nodes, edges }) => {
		const marker = draw(draw(graph, "defs"), "marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto-start-reverse" });
		draw(marker, "path", { d: "M0 0L8 4L0 8z" });
		for (const edge of edges) {
			const from = nodes.get(edge.from), to = nodes.get(edge.to);
			const x = from.x + boxWidth, y = from.y + boxHeight / 2, toY = to.y + boxHeight / 2;
			const path = draw(graph, "path", { d: `M${x} ${y}C${x + columnGap / 2} ${y} ${to.x - columnGap / 2} ${toY} ${to.x} ${toY}`, "marker-end": "url(#arrow)" });
			draw(path, "title", {}, `${from.name} waits for ${to.name}`);
		}
		for (const node of nodes.values()) {
			const g = draw(graph, "g", { class: node.kind, transform: `translate(${node.x} ${node.y})` });
			draw(g, "title", {}, node.title || node.name);
			draw(g, "rect", { width: boxWidth, height: boxHeight, rx: 6 });
			draw(g, "text", { x: 10, y: 16, class: "name" }, fit(node.name, 29));
			draw(g, "text", { x: 10, y: 31 }, node.note);
		}
	};

	const showWaits = (r) => {
		const graph = byId("graph"), net = network(r);
		byId("no-waits").hidden = net.nodes.size > 0;
		graph.toggleAttribute("hidden", net.nodes.size === 0);
		graph.replaceChildren();
		if (net.nodes.size === 0) return;
		const { width, height } = arrange(net);
		graph.setAttribute("viewBox", `0 0 ${width} ${height}`);
		graph.style.maxWidth = width + "px"; // it shrinks with the page as long as it is legible
		graph.style.minWidth = width * .75 + "px";
		graph.setAttribute("aria-label", net.edges.map((e) => net.nodes.get(e.from).name + " waits for " + net.nodes.get(e.to).name).join("; "));
		drawGraph(graph, net);
	};

	// ---- The histograms ----

	const barWidth = 20, barHeight = 110, marks = { 0: "1 µs", 5: "32 µs", 10: "1 ms", 15: "33 ms", 20: "1 s", 23: "8 s" };

	// below returns the upper bound of bucket k, in seconds. The bucket counts what is less.
	const below = (k) => 1e-6 * 2 ** k;

	const quantile = (buckets, q) => {
		const wanted = buckets.reduce((a, b) => a + b) * q;
		for (let k = 0, sum = 0; k < buckets.length - 1; k++) {
			sum += buckets[k];
			if (sum >= wanted) return "< " + span(below(k));
		}
		return "≥ " + span(below(buckets.length - 2));
	};

	const drawHistogram = (id, n) => {
		const svg = byId(id).querySelector("svg");
		svg.setAttribute("viewBox", `0 0 ${n * barWidth} ${barHeight + 18}`);
		draw(svg, "line", { x1: 0, x2: n * barWidth, y1: barHeight, y2: barHeight, class: "base" });
		for (const k in marks) draw(svg, "text", { x: (Number(k) + 1) * barWidth, y: barHeight + 14, "text-anchor": "middle" }, marks[k]);
		return Array.from({ length: n }, (_, k) => {
			const rect = draw(svg, "rect", { x: k * barWidth + 1, width: barWidth - 2, y: barHeight, height: 0 });
			return { rect, title: draw(rect, "title") };
		});
	};

	const histograms = {}; // bars, by the id of their section

	// showHistogram draws the bars on a logarithmic scale, so that the few handlers that were very late are visible.
	const showHistogram = (id, buckets, sum, max) => {
		const section = byId(id);
		const bars = histograms[id];
		const total = buckets.reduce((a, b) => a + b), top = Math.log10(Math.max(...buckets, 9) + 1);
		buckets.forEach((n, k) => {
			const height = Math.log10(n + 1) / top * (barHeight - 4);
			bars[k].rect.setAttribute("y", (barHeight - height).toFixed(1));
			bars[k].rect.setAttribute("height", height.toFixed(1));
			const range = k === 0 ? "less than 1 µs" : k === buckets.length - 1 ? span(below(k - 1)) + " or more" : span(below(k - 1)) + " to " + span(below(k));
			setText(bars[k].title, `${range}: ${number(n)}`);
		});
		setText(section.querySelector(".readout"), total === 0 ? "None yet." :
			`mean ${span(sum / total)}, median ${quantile(buckets, .5)}, 99 % ${quantile(buckets, .99)}, worst ${span(max)}; ${short(total)} in all, log scale`);
	};

	// ---- The whole page ----

	const showWheel = (r) => {
		const o = r.options;
		setText(byId("wheel"), [
			"tick " + span(o.tick), o.manual && "Manual", o.debug && "Debug",
			o.on_stall && "OnStall after " + span(o.stall_after), o.on_panic && "OnPanic", r.closed && "closed",
		].filter(Boolean).join(" · "));
	};

	const remember = (r) => {
		if (shown && shown.start !== r.start) samples = []; // another wheel: the program was restarted
		for (const sample of r.samples) {
			if (samples.length && sample.no <= samples[samples.length - 1].no) samples = [];
			sample.seconds = Date.parse(sample.at) / 1000;
			samples.push(sample);
		}
		const end = samples.length ? samples[samples.length - 1].seconds : 0;
		samples = samples.filter((sample) => end - sample.seconds <= minutes * 60);
	};

	const show = (r) => {
		remember(r);
		shown = r;
		showWheel(r);
		showNumbers(r);
		showLevels(r);
		showRuns(r);
		showWaits(r);
		showHistogram("lateness", r.stats.lateness, r.stats.sum_late, r.stats.max_late);
		showHistogram("run-time", r.stats.run_time, r.stats.sum_run, r.stats.max_run);
	};

	// ---- Requests ----

	const pause = 1000; // ms between an answer and the next request
	let paused = false, requesting = false, timer = 0;

	const state = (name, text) => {
		document.body.className = name;
		setText(byId("state-text"), text);
	};

	const request = async () => {
		clearTimeout(timer);
		if (paused || document.hidden || requesting) return;
		requesting = true;
		try {
			const since = samples.length ? samples[samples.length - 1].no : 0;
			const response = await fetch(`?format=json&since=${since}`, { cache: "no-store" });
			if (!response.ok) throw new Error(response.status + " " + response.statusText);
			show(await response.json());
			if (!paused) state("live", "live, " + clock(new Date()));
		} catch (error) {
			if (!paused) state("lost", "no answer: " + error.message);
		}
		requesting = false;
		timer = setTimeout(request, pause);
	};

	byId("pause").addEventListener("click", () => {
		paused = !paused;
		byId("pause").setAttribute("aria-pressed", paused);
		setText(byId("pause"), paused ? "Resume" : "Pause");
		if (paused) state("paused", "paused, " + clock(new Date()));
		request();
	});

	document.addEventListener("visibilitychange", request);

	setText(byId("path"), location.pathname);
	document.title = "timerwheel " + location.pathname;
	drawMap();
	drawLegend();
	for (const id of ["lateness", "run-time"]) histograms[id] = drawHistogram(id, 25);
	request();
})();
