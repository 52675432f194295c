// ---- Who waits for whom ----

const boxWidth = 236, boxHeight = 69, columnGap = 50, rowGap = 14, mostBoxes = 60;

// network returns the handlers that wait or for which deletions wait, and the deletions outside of
// handlers that wait for them. Equal ones are one node.
const network = (r) => {
	const nodes = new Map(), edges = [];
	const involved = r.runs.filter((run) => run.waiters > 0 || run.waiting);
	const inside = (run) => involved.filter((other) => other.waits_for.includes(run.goroutine));
	// A handler is alone in its node if handlers are on the other end of its arrows.
	const key = (run) => run.waiting || inside(run).length > 0 ? String(run.goroutine) : run.handler + " " + (run.allocated_at || "");
	const groups = groupBy(involved, key).slice(0, mostBoxes);
	for (const runs of groups) nodes.set(key(runs[0]), handlerNode(key(runs[0]), runs, inside));
	for (const runs of groups) {
		const to = key(runs[0]), within = runs.flatMap(inside);
		for (const other of within) edges.push({ from: key(other), to });
		const n = runs.reduce((sum, run) => sum + run.waiters, 0) - within.length;
		for (const node of deletionNodes(r, runs, n)) {
			const from = node.goroutine ? "goroutine " + node.goroutine : node.id + " for " + to;
			if (!nodes.has(from)) nodes.set(from, { ...node, id: from });
			edges.push({ from, to });
		}
	}
	return { nodes, edges: edges.filter((e) => nodes.has(e.from) && nodes.has(e.to)) };
};

const goroutines = (first, n) => first ? `goroutine ${first}` + (n > 1 ? ", …" : "") : "";
const times = (n) => n > 1 ? number(n) + " × " : "";

// heldUp returns the number of deletions that wait for a run, directly or through other handlers.
const heldUp = (run, inside, seen = new Set()) => {
	if (seen.has(run.goroutine)) return 0;
	seen.add(run.goroutine);
	return inside(run).reduce((sum, other) => sum + heldUp(other, inside, seen), run.waiters);
};

const handlerNode = (id, runs, inside) => {
	const run = runs[0], waiters = runs.reduce((sum, run) => sum + heldUp(run, inside), 0);
	const age = (runs.length > 1 ? "the oldest " : "") + "for " + span(run.age);
	const where = lastPart(lineOf(run.handler)) || (run.allocated_at ? "allocated at " + lastPart(run.allocated_at) : "");
	return {
		id, name: times(runs.length) + lastPart(functionOf(run.handler)), title: run.handler + ", " + run.timer,
		kind: run.waiting ? "handler" : "blocking",
		place: run.waiting ? `${kinds[run.waiting.kind]} at ${lastPart(lineOf(run.waiting.caller))}` : where,
		who: goroutines(run.goroutine, runs.length),
		note: run.waiting ? `waits for ${span(run.waiting.age)}` : `✖ holds up ${number(waiters)}, runs ${age}`,
	};
};

// deletionNodes returns nodes for the n deletions outside of handlers that wait for some runs.
const deletionNodes = (r, runs, n) => {
	const handlers = new Map(r.runs.map((run) => [run.goroutine, run]));
	const outside = runs.flatMap((run) => run.waits).filter((wait) => !(handlers.get(wait.goroutine) || {}).waiting);
	if (outside.length === 0) return [];
	const waitNode = (same, n) => {
		const oldest = same.reduce((a, b) => a.age >= b.age ? a : b);
		return {
			id: oldest.caller + oldest.kind, goroutine: n === 1 ? oldest.goroutine : 0, kind: "outside", title: oldest.caller,
			name: times(n) + (lastPart(functionOf(oldest.caller)) || "a deletion"),
			place: `${kinds[oldest.kind]} at ${lastPart(lineOf(oldest.caller))}`,
			who: goroutines(oldest.goroutine, n),
			note: `waits for ${span(oldest.age)}`,
		};
	};
	if (n === outside.length) return groupBy(outside, (wait) => wait.caller + wait.kind).map((same) => waitNode(same, same.length));
	const all = waitNode(outside, n); // not all are known
	return [{ ...all, name: number(n) + " deletions", place: "such as " + placeOf(outside[0].caller) }];
};

// rank returns the topmost row that a node waits for, so that nodes have the order of those that they wait for and few arrows cross. Nodes that
// wait for none are above the others.
const rank = (node, nodes, edges) => {
	const rows = edges.filter((e) => e.from === node.id).map((e) => nodes.get(e.to).row || 0);
	return rows.length ? Math.min(...rows) : -1;
};

const isNarrow = () => innerWidth < 512; // the columns are drawn below each other, so that no box is cut

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
	for (const node of nodes.values()) node.row += (most - heights[node.column]) / 2;
	return isNarrow() ? place(nodes, "row", "column", rowGap, 2 * rowGap) : place(nodes, "column", "row", columnGap, rowGap);
};

// place computes where the nodes are, and how large the graph is.
const place = (nodes, across, down, gapAcross, gapDown) => {
	const size = { width: 0, height: 0 };
	for (const node of nodes.values()) {
		node.x = 2 + node[across] * (boxWidth + gapAcross);
		node.y = 2 + node[down] * (boxHeight + gapDown);
		size.width = Math.max(size.width, node.x + boxWidth + 2);
		size.height = Math.max(size.height, node.y + boxHeight + 2);
	}
	return size;
};

// arrow returns the path from a node to the one that it waits for.
const arrow = (from, to) => {
	if (isNarrow()) {
		const x = from.x + boxWidth / 2, y = from.y + boxHeight, toX = to.x + boxWidth / 2;
		return `M${x} ${y}C${x} ${y + rowGap} ${toX} ${to.y - rowGap} ${toX} ${to.y}`;
	}
	const x = from.x + boxWidth, y = from.y + boxHeight / 2, toY = to.y + boxHeight / 2;
	return `M${x} ${y}C${x + columnGap / 2} ${y} ${to.x - columnGap / 2} ${toY} ${to.x} ${toY}`;
};

const fit = (text, n) => text.length <= n ? text : "…" + text.slice(text.length - n + 1);

const drawGraph = (graph, { nodes, edges }) => {
	const marker = draw(draw(graph, "defs"), "marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto-start-reverse" });
	draw(marker, "path", { d: "M0 0L8 4L0 8z" });
	for (const edge of edges) {
		const from = nodes.get(edge.from), to = nodes.get(edge.to);
		const path = draw(graph, "path", { d: arrow(from, to), "marker-end": "url(#arrow)" });
		draw(path, "title", {}, `${from.name} waits for ${to.name}`);
	}
	for (const node of nodes.values()) {
		const g = draw(graph, "g", { class: node.kind, transform: `translate(${node.x} ${node.y})` });
		draw(g, "title", {}, node.title || node.name);
		draw(g, "rect", { width: boxWidth, height: boxHeight, rx: 6 });
		draw(g, "text", { x: 10, y: 16, class: "name" }, fit(node.name, 29));
		[node.place, node.who, node.note].filter(Boolean).forEach((line, k) => draw(g, "text", { x: 10, y: 31 + 15 * k }, fit(line, 37)));
	}
};

// scrollToRed shows the first box that holds up others where the graph is wider than the screen, once
// for each new one, so that it does not fight with the reader.
let scrolledTo = "";
const scrollToRed = (graph, { nodes }) => {
	const red = [...nodes.values()].find((node) => node.kind === "blocking");
	if (!red || red.id === scrolledTo) return;
	scrolledTo = red.id;
	const box = graph.parentElement, scale = graph.clientWidth / graph.viewBox.baseVal.width;
	box.scrollLeft = (red.x + boxWidth) * scale - box.clientWidth + 8;
	box.scrollTop = (red.y + boxHeight / 2) * scale - box.clientHeight / 2;
};

const showWaits = (r) => {
	const graph = byId("graph"), net = network(r), none = net.nodes.size === 0;
	const blank = foldBox("waits", none || isBrief(r.runs)) || none;
	document.querySelector("main").classList.toggle("stuck", r.verdict.some((finding) => finding.kind === "stuck_deletion"));
	byId("about-waits").classList.toggle("unknown", blank);
	byId("no-waits").hidden = !blank;
	setText(byId("no-waits"), none ? "None." : "None for long.");
	graph.toggleAttribute("hidden", blank);
	graph.replaceChildren();
	if (blank) {
		scrolledTo = "";
		return;
	}
	const { width, height } = arrange(net);
	graph.setAttribute("viewBox", `0 0 ${width} ${height}`);
	graph.style.maxWidth = width + "px"; // it shrinks with the page as long as it is legible
	graph.style.minWidth = width * (isNarrow() ? 1 : .8) + "px";
	graph.setAttribute("aria-label", net.edges.map((e) => net.nodes.get(e.from).name + " waits for " + net.nodes.get(e.to).name).join("; "));
	drawGraph(graph, net);
	scrollToRed(graph, net);
};
