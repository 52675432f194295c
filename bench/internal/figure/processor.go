package figure

// A Processor names a kind of processor: its vendor, family and model, as far as the system
// says. Ratios to package time depend on it: what a locked instruction, a reading of the
// clock or a miss of a cache costs beside the rest.
type Processor string

const (
	zen4 Processor = "AuthenticAMD, family 25, model 17"

	// unknown stands for all kinds that have no entry of their own. Its entries are the widest.
	unknown Processor = ""
)

// worst holds, for a target that is not met, the worst figure known on each kind of processor,
// as a multiple of the bound. It does not make the target pass: a check uses it to see
// whether a figure has become worse. An entry of 1 says that the target is met there.
type worst map[Processor]float64

// on returns the worst figure known on a kind of processor, or 0 if the target is met.
func (w worst) on(p Processor) float64 {
	if times, known := w[p]; known {
		return times
	}
	return w[unknown]
}
