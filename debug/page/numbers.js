// ---- The counters ----

const rate = (field) => (sample, before, seconds) => before && (sample[field] - before[field]) / seconds;
const level = (field) => (sample) => sample[field];
const inAll = (field) => (r) => short(r.stats[field]) + " in all";
const numbers = [
	{ name: "Next firing", now: (r) => nextIn(r), more: (r) => r.next === null ? "no timer is pending" : r.next < r.options.tick ? "" : nextAt(r) },
	{ name: "Pending", value: level("pending"), now: (r) => short(r.stats.pending), more: (r) => number(r.stats.pending) },
	{ name: "Due, not begun", value: level("due"), now: (r) => short(r.stats.due), more: (r) => r.overdue > 0 ? "the first for " + wheelSpan(r.overdue, r.options.tick) : "" },
	{ name: "Handlers running", value: level("running"), now: (r) => number(r.stats.running), more: (r) => "of at most " + number(r.options.max_workers) },
	{ name: "Alive", value: level("live"), now: (r) => short(r.stats.live), more: (r) => count(r.stats.workers, "goroutine", "goroutines") + " of the wheel" },
	{ name: "Storage", value: level("bytes"), unit: "B", now: (r) => bytes(r.stats.bytes), more: (r) => r.stats.live === 0 ? "no timer is alive" : bytes(r.stats.bytes / r.stats.live) + " a timer" },
	{ name: "Registered a second", value: rate("registered"), more: inAll("registered") },
	{ name: "Fired a second", value: rate("fired"), more: inAll("fired") },
	{ name: "Removed a second", value: rate("removed"), more: inAll("removed") },
	{ name: "Refused a second", value: rate("refused"), more: inAll("refused") },
	{ name: "Waits a second", value: rate("sync_waits"), more: inAll("sync_waits") },
	{ name: "Misuses", value: level("misuses"), now: (r) => short(r.stats.misuses), more: (r) => r.stats.misuses === 0 ? "" : r.options.on_misuse ? "reported to OnMisuse" : r.options.debug ? "lines in their errors" : "lines with Debug" },
];
const minutes = 5, least = 30; // minutes, at most, and seconds, at least, shown by the curves
const fewest = 5; // samples without which there is no curve
const gap = 5; // seconds without a sample that interrupt a curve

const bytes = (n) => short(n).replace(/( ?)([kMG]?)$/, (_, space, unit) => (space || " ") + unit + "B");
const nextIn = (r) => r.next === null ? "none" : r.next === 0 ? "now" : r.next < r.options.tick ? "within " + span(r.options.tick) : "in " + span(r.next);
const nextAt = (r) => r.next >= minute && r.next < day ? "no earlier than " + clock(new Date(Date.parse(r.now) + r.next * 1000)) : "at the earliest";

for (const n of numbers) {
	const box = make(byId("numbers"), "div", "number");
	const list = make(box, "dl");
	make(list, "dt", "", n.name);
	n.dd = make(list, "dd");
	n.note = make(box, "p", "more");
	n.svg = draw(box, "svg", { class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" });
	n.range = make(box, "p", "range");
	if (!n.value) continue;
	draw(n.svg, "line", { x1: 0, x2: 100, y1: 29, y2: 29 });
	n.path = draw(n.svg, "path", {});
}

// curve returns the path through points. The highest of them touches the top.
const curve = (points, end) => {
	const top = Math.max(1, ...points.map((p) => p.y)), width = Math.max(least, end - (points.length ? points[0].at : end));
	let path = "", last = -Infinity;
	for (const p of points) {
		const x = 100 - (end - p.at) / width * 100;
		path += (p.at - last > gap ? "M" : "L") + x.toFixed(2) + " " + (28.5 - p.y / top * 27).toFixed(2);
		last = p.at;
	}
	return path;
};

// range says what a curve shows: how far back it goes, its least and its greatest value.
const range = (points, end, format) => {
	if (points.length < fewest) return "";
	const values = points.map((p) => p.y), least = format(Math.min(...values)), most = format(Math.max(...values));
	return `last ${span(Math.round(end - points[0].at))}: ` + (least === most ? most + " throughout" : least + " to " + most);
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
		setText(n.dd, n.now ? n.now(r) : points.length ? short(points[points.length - 1].y) : "…");
		setText(n.note, n.more(r));
		if (!n.path) continue;
		n.svg.classList.toggle("unknown", points.length < fewest);
		n.path.setAttribute("d", curve(points, end));
		setText(n.range, range(points, end, n.unit ? bytes : short));
	}
};
