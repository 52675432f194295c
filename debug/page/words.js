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
		if (n >= size * 10 || (n >= size && unit !== "k")) return (n / size).toPrecision(3) + " " + unit;
	}
	return n < 10 && n !== Math.round(n) ? n.toFixed(1) : number(Math.round(n));
};

const minute = 60, hour = 3600, day = 86400, year = 365.25 * day;

const twoUnits = (seconds, size, unit, smallSize, smallUnit) => {
	const rest = Math.floor(seconds % size / smallSize);
	return Math.floor(seconds / size) + " " + unit + (rest > 0 ? ` ${rest} ${smallUnit}` : "");
};

const oneUnit = (value, unit) => Math.min(999, Math.round(value)) + " " + unit;

// span formats a time as the verdict does.
const span = (seconds) => {
	if (seconds >= 10 * year) return number(Math.floor(seconds / year)) + " years";
	if (seconds >= 100 * day) return number(Math.floor(seconds / day)) + " days";
	if (seconds >= day) return twoUnits(seconds, day, "d", hour, "h");
	if (seconds >= hour) return twoUnits(seconds, hour, "h", minute, "min");
	if (seconds >= minute) return twoUnits(seconds, minute, "min", 1, "s");
	if (seconds >= 9.95) return oneUnit(seconds, "s");
	if (seconds >= 1) return seconds.toFixed(1).replace(".0", "") + " s";
	if (seconds >= 1e-3) return oneUnit(seconds * 1e3, "ms");
	if (seconds >= 1e-6) return oneUnit(seconds * 1e6, "µs");
	return seconds > 0 ? oneUnit(seconds * 1e9, "ns") : "0 s";
};

// wheelSpan formats a time on the wheel, which knows nothing finer than its tick.
const wheelSpan = (seconds, tick) => seconds < tick ? "less than " + span(tick) : span(seconds);

const clock = (date) => date.toLocaleTimeString("en-GB");
const count = (n, one, many) => number(n) + " " + (n === 1 ? one : many);

// functionOf and lineOf split "function file:line". A function's name has no space.
const functionOf = (place) => place.split(" ", 1)[0];
const lineOf = (place) => place.slice(functionOf(place).length + 1);
const lastPart = (path) => path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);

// placeOf shortens "function file:line".
const placeOf = (place) => lastPart(functionOf(place)) + (lineOf(place) ? ` (${lastPart(lineOf(place))})` : "");

// groupBy returns lists of what has the same key, in the order of their first.
const groupBy = (list, key) => {
	const groups = new Map();
	for (const item of list) {
		if (!groups.has(key(item))) groups.set(key(item), []);
		groups.get(key(item)).push(item);
	}
	return [...groups.values()];
};
