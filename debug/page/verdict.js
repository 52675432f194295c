// ---- The verdict, and who speaks ----

const marks = { red: ["✖", "Problem"], yellow: ["▲", "Warning"], green: ["✔", "OK"] };

const makeFinding = () => {
	const li = make(byId("verdict").querySelector("ol"), "li");
	const line = make(li, "p", "finding");
	const symbol = make(line, "span", "symbol");
	symbol.setAttribute("aria-hidden", "true");
	return { li, symbol, word: make(line, "strong", "word"), text: make(line, "span", "text"), advice: make(li, "p", "advice") };
};

const stacks = "/debug/pprof/goroutine?debug=2";

// setAdvice sets a text in which the address of the stacks is a link.
const setAdvice = (element, text) => {
	if (element.textContent === text) return;
	element.replaceChildren();
	text.split(stacks).forEach((part, k) => {
		if (k > 0) Object.assign(make(element, "a", "", stacks), { href: stacks, target: "_blank" });
		element.append(part);
	});
};

const findings = []; // rows of the verdict

const showVerdict = (r) => {
	if (!byId("verdict").querySelector("ol")) {
		byId("verdict").replaceChildren();
		make(byId("verdict"), "ol");
	}
	while (findings.length < r.verdict.length) findings.push(makeFinding());
	while (findings.length > r.verdict.length) findings.pop().li.remove();
	r.verdict.forEach((finding, k) => {
		const row = findings[k], [symbol, word] = marks[finding.level];
		row.li.className = finding.level;
		row.li.dataset.kind = finding.kind;
		setText(row.symbol, symbol);
		setText(row.word, word);
		setText(row.text, finding.text);
		setAdvice(row.advice, finding.advice || "");
	});
	document.title = `${marks[r.verdict[0].level].join(" ")} · timerwheel ${location.pathname}`;
	announce(r.verdict.map((finding) => marks[finding.level][1] + ": " + finding.text).join(" "), r.verdict.map(gistOf).join(" "));
};

// gistOf returns what is new if it differs: of what is wrong the text without its numbers.
const gistOf = (finding) => finding.level + finding.kind +
	(finding.level === "green" ? "" : finding.text.replace(/\d[\d,.:]*/g, "").replace(/ (ns|µs|ms|s|min|h|d)\b/g, ""));

// announce lets a screen reader speak what is new, not more than once in ten seconds.
let announced = "", spoken = -Infinity;
const announce = (text, gist, atOnce) => {
	if (gist === announced || (!atOnce && performance.now() - spoken < 10_000)) return;
	announced = gist;
	spoken = performance.now();
	setText(byId("live"), text);
};

const showProcess = (r) => {
	const p = r.process, o = r.options;
	setText(byId("process"), [
		p.host && "host " + p.host, `process ${p.name}, pid ${p.pid}, up ${span(p.uptime)}`, p.go,
		count(p.cpus, "processor", "processors"), count(p.goroutines, "goroutine", "goroutines"),
	].filter(Boolean).join(" · "));
	setText(byId("wheel"), [
		`wheel up ${span(Math.max(0, (Date.parse(r.now) - Date.parse(r.start)) / 1000))}`, "tick " + span(o.tick), o.manual && "Manual",
		o.debug ? "Debug" + (o.debug_every > 1 ? ` of 1 timer in ${number(o.debug_every)}` : "") : "no Debug",
		o.on_stall && "OnStall after " + span(o.stall_after), o.on_panic && "OnPanic", o.on_misuse && "OnMisuse", r.closed && "closed",
	].filter(Boolean).join(" · "));
};
