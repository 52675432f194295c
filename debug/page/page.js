// ---- The whole page ----

const remember = (r) => {
	// Another wheel, as the program was restarted; or the wall clock was set.
	if (shown && Math.abs(Date.parse(shown.start) - Date.parse(r.start)) > 1000) samples = [];
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
	document.querySelector("main").hidden = false;
	showVerdict(r);
	showProcess(r);
	showNumbers(r);
	showRuns(r);
	showWaits(r);
	showHistograms(r);
	showLevels(r);
	showMisuses(r);
	showSitesOffer(r);
	if (r.sites) showSites(r);
};

// ---- Requests ----

const pause = 1000, patience = 5000; // ms between an answer and the next request; ms for an answer
let paused = false, requesting = false, wantSites = false, timer = 0;
let answered = null; // when the last answer came

const state = (name, text) => {
	document.body.className = name;
	setText(byId("state-text"), text);
};

const showLost = (error) => {
	const since = answered || begun;
	setText(byId("lost-text"), `for ${span(Math.round((new Date() - since) / 1000))}` + (answered ? `, since ${clock(answered)}.` : "."));
	setText(byId("lost-reason"), (answered ? `The last request failed: ${error}. What stands below is of ${clock(answered)}, and may be wrong now.` :
		`The program has not answered yet: ${error}.`) + " Is the program still running? This page goes on asking.");
	byId("lost").hidden = false;
	byId("verdict").hidden = !answered;
	document.title = `? No data · timerwheel ${location.pathname}`;
	state("lost", answered ? "lost, last answer " + clock(answered) : "no answer yet");
	announce(`No data ${byId("lost-text").textContent} ${byId("lost-reason").textContent}`, "lost", true);
};

const showAnswer = (r) => {
	answered = new Date();
	byId("lost").hidden = true;
	byId("verdict").hidden = false;
	show(r);
	if (!paused) state("live", "live, " + clock(answered));
};

const begun = new Date();

const reasonOf = (error) => error.name === "TimeoutError" ? `no answer within ${span(patience / 1000)}` : error.message;

const request = async () => {
	clearTimeout(timer);
	if ((paused && !wantSites) || document.hidden || requesting) return;
	requesting = true;
	const sites = wantSites ? "&sites=1" : "";
	try {
		const since = samples.length ? samples[samples.length - 1].no : 0;
		const response = await fetch(`?format=json&since=${since}${sites}`, { cache: "no-store", signal: AbortSignal.timeout(patience) });
		if (!response.ok) throw new Error(`something answered ${response.status} ${response.statusText}: the program, or a proxy before it`);
		showAnswer(await response.json());
		if (sites) wantSites = false;
	} catch (error) {
		if (!paused) showLost(reasonOf(error));
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

byId("count-sites").addEventListener("click", () => {
	wantSites = true;
	request();
});

document.addEventListener("visibilitychange", request);

setText(byId("path"), location.pathname);
document.title = "timerwheel " + location.pathname;
drawMap();
drawLegend();
request();
