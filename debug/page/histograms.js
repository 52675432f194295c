// ---- The histograms ----

// below returns the upper bound of bucket k, in seconds. The bucket counts what is less.
const below = (k) => 1e-6 * 2 ** k;

const quantile = (buckets, q, tick) => {
	const wanted = buckets.reduce((a, b) => a + b) * q;
	for (let k = 0, sum = 0; k < buckets.length - 1; k++) {
		sum += buckets[k];
		if (sum >= wanted) return "less than " + span(Math.max(tick, below(k)));
	}
	return "at least " + span(below(buckets.length - 2));
};

// rangesOf returns the buckets from the first to the last that count something, those within one
// tick as one; mark is in one of them, too.
const rangesOf = (buckets, tick, mark) => {
	const last = buckets.length - 1, ranges = [];
	buckets.forEach((n, k) => {
		const from = k === 0 ? 0 : below(k - 1), to = k === last ? Infinity : below(k), marked = mark >= from && mark < to;
		if (from < tick && ranges.length > 0) {
			Object.assign(ranges[0], { to, n: ranges[0].n + n, marked: ranges[0].marked || marked });
		} else {
			ranges.push({ from, to, n, marked });
		}
	});
	while (ranges.length > 0 && ranges[ranges.length - 1].n === 0 && !ranges[ranges.length - 1].marked) ranges.pop();
	while (ranges.length > 0 && ranges[0].n === 0 && !ranges[0].marked) ranges.shift();
	return ranges;
};

const rangeText = ({ from, to }) => from === 0 ? "less than " + span(to) : to === Infinity ? span(from) + " or more" : span(from) + " to " + span(to);

const makeBar = (body) => {
	const tr = make(body, "tr");
	const row = { tr, range: make(tr, "td"), n: make(tr, "td"), share: make(tr, "td") };
	const svg = draw(make(tr, "td"), "svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
	row.bar = draw(svg, "rect", { height: 10, width: 0 });
	return row;
};

const bars = { lateness: [], "run-time": [] }; // rows, by the id of their section

// showHistogram draws the bars on a logarithmic scale, so that the few handlers that were very late are visible.
const showHistogram = (id, r, { buckets, sum, max, tick, mark, stalled }) => {
	const section = byId(id), rows = bars[id], body = section.querySelector("tbody");
	const total = buckets.reduce((a, b) => a + b), ranges = rangesOf(buckets, tick, mark);
	section.querySelector("table").hidden = ranges.length === 0;
	while (rows.length < ranges.length) rows.push(makeBar(body));
	while (rows.length > ranges.length) rows.pop().tr.remove();
	const top = Math.log10(Math.max(...buckets, 9) + 1);
	ranges.forEach((range, k) => {
		setText(rows[k].range, rangeText(range) + (range.marked ? " ◂ runs now" : ""));
		rows[k].range.className = !range.marked ? "" : stalled ? "mark stalled" : "mark";
		setText(rows[k].n, number(range.n));
		setText(rows[k].share, range.n === 0 ? "" : range.n / total < .001 ? "< 0.1 %" : (100 * range.n / total).toFixed(1) + " %");
		rows[k].bar.setAttribute("width", Math.log10(range.n + 1) / top * 100);
	});
	setText(section.querySelector(".readout"), total === 0 ? "No handler yet." :
		`Mean ${wheelSpan(sum / total, tick)}, median ${quantile(buckets, .5, tick)}, 99 % ${quantile(buckets, .99, tick)}, worst ${wheelSpan(max, tick)}; ${number(total)} in all.`);
};

const showHistograms = (r) => {
	const s = r.stats, longest = r.runs[0];
	showHistogram("lateness", r, { buckets: s.lateness, sum: s.sum_late, max: s.max_late, tick: r.options.tick });
	showHistogram("run-time", r, {
		buckets: s.run_time, sum: s.sum_run, max: s.max_run, tick: 0,
		mark: longest ? longest.age : undefined, stalled: longest && longest.age >= r.options.stall_after,
	});
	setText(byId("longest"), longest ? `Running now, and not counted: ${number(s.running)}. The longest has run for ${span(longest.age)}: ${placeOf(longest.handler)}.` :
		"No handler runs now.");
};
