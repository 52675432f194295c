// ---- The handlers in flight ----

const kinds = { DelSync: "DelSync", DelAsync: "DelAsync", Group: "Group.DelSync" };
const mostRuns = 256, mostNamed = 8; // handlers of a Report; goroutines that are named
const rows = new Map(); // by handler and place of allocation

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

// waiters names deletions that wait, equal ones once.
const waiters = (waits) => groupBy(waits, (wait) => wait.caller + wait.kind).map((same) => {
	const oldest = same.reduce((a, b) => a.age >= b.age ? a : b);
	const who = placeOf(oldest.caller) || "a deletion";
	return (same.length > 1 ? `${number(same.length)} × ` : "") + `${who}, ${kinds[oldest.kind]} for ${span(oldest.age)}` +
		(oldest.goroutine ? `, goroutine ${oldest.goroutine}` : "");
});

// waitsFor describes the deletions that wait for some runs.
const waitsFor = (runs) => {
	const all = runs.reduce((sum, run) => sum + run.waiters, 0), listed = runs.flatMap((run) => run.waits);
	if (all === 0) return "";
	const more = all - listed.length > 0 ? `; and ${number(all - listed.length)} more` : "";
	return count(all, "deletion waits for it: ", "deletions wait for it: ") + waiters(listed).join("; ") + more;
};

const named = (runs) => runs.slice(0, mostNamed).map((run) => run.goroutine).join(", ") +
	(runs.length > mostNamed ? ` and ${number(runs.length - mostNamed)} more` : "");

// fillRow shows the runs of one handler, the oldest first.
const fillRow = (row, runs, r) => {
	const run = runs[0], stalled = run.age >= r.options.stall_after;
	row.li.classList.toggle("stalled", stalled);
	row.li.dataset.runs = runs.length;
	setText(row.name, (runs.length > 1 ? `${number(runs.length)} × ` : "") + lastPart(functionOf(run.handler)));
	row.name.title = functionOf(run.handler);
	setText(row.age, (stalled ? "▲ " : "") + (runs.length > 1 ? "the oldest " : "") + "for " + span(run.age));
	setText(row.line, lineOf(run.handler));
	setText(row.ids, runs.length > 1 ? "goroutines " + named(runs) : `${run.timer}, goroutine ${run.goroutine}, since ${clock(new Date(run.since))}`);
	const origin = [run.allocated_at && "allocated at " + run.allocated_at, run.registered_at && "registered at " + run.registered_at];
	setText(row.origin, origin.filter(Boolean).join(", ") || (lineOf(run.handler) ? "" : "line not known: allocate with Options.Debug"));
	setText(row.waits, waitsFor(runs));
	setText(row.waiting, run.waiting ? `waits in ${kinds[run.waiting.kind]} at ${lastPart(lineOf(run.waiting.caller))} for goroutine ${run.waits_for.join(", ")}, for ${span(run.waiting.age)}` : "");
};

// groupRuns puts equal handlers together. One that waits in a deletion stands alone.
const groupRuns = (runs) => groupBy(runs, (run) => run.handler + " " + (run.allocated_at || "") + (run.waiting ? " " + run.goroutine : ""));

// urgency is higher for handlers that run for long, and highest if deletions wait for them.
const urgency = (runs, r) => runs[0].age < r.options.stall_after ? 0 : runs.some((run) => run.waiters > 0) ? 2 : 1;

const showRuns = (r) => {
	const list = byId("run-list"), groups = groupRuns(r.runs);
	groups.sort((a, b) => urgency(b, r) - urgency(a, r) || b.length - a.length); // stable: of equal ones the oldest stays first
	const keyOf = (runs) => runs[0].handler + " " + (runs[0].allocated_at || "") + (runs[0].waiting ? " " + runs[0].goroutine : "");
	const current = new Set(groups.map(keyOf));
	for (const [key, row] of rows) {
		if (current.has(key)) continue;
		row.li.remove();
		rows.delete(key);
	}
	groups.forEach((runs, k) => {
		let row = rows.get(keyOf(runs));
		if (!row) rows.set(keyOf(runs), row = makeRow());
		if (list.children[k] !== row.li) list.insertBefore(row.li, list.children[k] || null);
		fillRow(row, runs, r);
	});
	const folded = foldBox("runs", isBrief(r.runs));
	list.hidden = folded;
	byId("no-runs").hidden = r.runs.length > 0 && !folded;
	setText(byId("no-runs"), r.runs.length > 0 ? `None for longer than ${span(brief)}.` : "None.");
	const n = r.runs.length;
	setText(byId("runs-title"), "Handlers in flight" + (n === 0 ? "" : n < mostRuns || n >= r.stats.running ? ": " + number(n) : `: the oldest ${n} of ${number(r.stats.running)}`));
};

const brief = .1; // seconds for which a handler runs without opening a box
const isBrief = (runs) => runs.every((run) => run.age < brief);

// foldBox makes a box one line if it has been empty for a while, so that the page does not jump
// whenever a handler begins or ends. It reports whether the box is one line.
const usedAt = {}; // by box, when it last had something to show: ms of the page
const foldBox = (id, empty) => {
	if (!empty) usedAt[id] = performance.now();
	return byId(id).classList.toggle("empty", !(performance.now() - usedAt[id] < keepRow * 1000));
};

// ---- Misuses, and where timers were allocated ----

const misuseNames = { leaked: "Leaked", deadlock: "ErrDeadlock", misused: "Misused" };

const showMisuses = (r) => {
	byId("misuses").hidden = r.stats.misuses === 0 && r.misuses.length === 0;
	setText(byId("misuses-about"), r.options.debug ? `The last ${number(r.misuses.length)}, the latest first.` :
		`${number(r.stats.misuses)} in all. Where is not known: allocate with Options.Debug.`);
	const texts = r.misuses.map((m) => `▲ ${misuseNames[m.kind]} ${span(m.age)} ago: ${m.text}`);
	while (byId("misuse-list").children.length > texts.length) byId("misuse-list").lastChild.remove();
	texts.forEach((text, k) => setText(byId("misuse-list").children[k] || make(byId("misuse-list"), "li"), text));
};

const mostSites = 50;

// showSitesOffer says what a count of the places would do, or why there is none.
const showSitesOffer = (r) => {
	const button = byId("count-sites");
	button.hidden = !r.options.debug;
	if (button.dataset.counted) return;
	setText(byId("sites-about"), r.options.debug ? "Not counted yet. A count looks at every timer, for 10 to 30 ns each, and is not repeated by itself." :
		"Not known: Options.Debug remembers where timers are allocated.");
};

const showSites = (r) => {
	const every = r.options.debug_every, more = r.sites.length - mostSites;
	byId("count-sites").dataset.counted = "yes";
	setText(byId("count-sites"), "Count again");
	setText(byId("sites-about"), `Counted at ${clock(new Date())}: ${count(r.sites.length, "place", "places")}.` +
		(every > 1 ? ` These are estimates: the wheel remembers 1 timer in ${number(every)} (Options.DebugEvery).` : "") +
		(more > 0 ? ` The ${mostSites} with the most timers are shown; ?format=json&sites=1 has all.` : ""));
	const table = byId("sites").querySelector("table"), body = table.querySelector("tbody");
	table.hidden = r.sites.length === 0;
	body.replaceChildren();
	for (const site of r.sites.slice(0, mostSites)) {
		const tr = make(body, "tr"), about = every > 1 ? "≈ " : "";
		for (const n of [site.live, site.pending]) make(tr, "td", "", about + number(n));
		for (const place of [site.allocated_at, site.handler]) make(make(tr, "td"), "code", "", place);
	}
};
