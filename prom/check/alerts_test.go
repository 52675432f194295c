package check

import (
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

func readAlerts(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile("../alerts/timerwheel.yaml", false, model.UTF8Validation, promQL, promslog.NewNopLogger())
	require.Empty(t, errs)
	require.Len(t, groups.Groups, 1)
	return groups.Groups[0].Rules
}

// fired returns for each alert that fired in some time when it fired first, and its
// description then.
func fired(t *testing.T, s storage.Storage, duration time.Duration) (at map[string]time.Duration, description map[string]string) {
	t.Helper()
	at, description = make(map[string]time.Duration), make(map[string]string)
	query := rules.EngineQueryFunc(promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery), s)
	for _, r := range readAlerts(t) {
		expr, err := promQL.ParseExpr(r.Expr)
		require.NoError(t, err)
		alert := rules.NewAlertingRule(r.Alert, expr, time.Duration(r.For), time.Duration(r.KeepFiringFor),
			labels.FromMap(r.Labels), labels.FromMap(r.Annotations), labels.EmptyLabels(), "", true, promslog.NewNopLogger())
		for now := time.Duration(0); now <= duration && alert.State() != rules.StateFiring; now += scrapeInterval {
			_, err := alert.Eval(t.Context(), 0, time.UnixMilli(now.Milliseconds()), query, &url.URL{}, 0)
			require.NoError(t, err)
			alert.SetEvaluationTimestamp(time.UnixMilli(now.Milliseconds()))
			at[r.Alert] = now
		}
		if alert.State() != rules.StateFiring {
			delete(at, r.Alert)
			continue
		}
		for _, a := range alert.ActiveAlerts() {
			require.Equal(t, "sessions", a.Labels.Get("wheel"))
			require.Contains(t, a.Annotations.Get("summary"), "sessions")
			description[r.Alert] = a.Annotations.Get("description")
		}
	}
	return at, description
}

// ---- Series ----

// load stores series that are written as promqltest wants them, one value each 15 s. Their
// labels are those of one wheel, L.
func load(t *testing.T, series string) storage.Storage {
	t.Helper()
	text := strings.ReplaceAll(series, "{L", `{job="app", instance="host:1", wheel="sessions"`)
	return promqltest.LoadedStorage(t, "load 15s\n"+strings.TrimLeft(text, "\n"))
}

// For each alert, the series of a wheel in trouble, when the alert must fire, and series that come
// near but are healthy.
var troubles = []struct {
	alert       string
	trouble     string
	at          time.Duration
	description string
	healthy     map[string]string
}{
	{
		alert: "TimerwheelSaturated",
		trouble: `
			timerwheel_due{L}              0x7 3x40
			timerwheel_handlers_running{L} 0x7 4x40
			timerwheel_max_workers{L}      4x47`,
		at:          2*time.Minute + 105*time.Second + time.Minute, // from 2m on; two minutes without a 0; one of them pending
		description: "3 timers of host:1 wait for a worker. All MaxWorkers workers run handlers. Options.OnStall reports this as Saturated, and which handlers do not end.",
		healthy: map[string]string{
			"a worker is free": `
				timerwheel_due{L}              3x80
				timerwheel_handlers_running{L} 3x80
				timerwheel_max_workers{L}      4x80`,
			"all are busy, and nothing is due": `
				timerwheel_due{L}              0x80
				timerwheel_handlers_running{L} 4x80
				timerwheel_max_workers{L}      4x80`,
			"handlers end now and then": `
				timerwheel_due{L}              3x80
				timerwheel_handlers_running{L} 4 4 4 4 3 4 4 4 4 3 4 4 4 4 3 4 4 4 4 3 4 4 4 4
				timerwheel_max_workers{L}      4x80`,
			"another wheel is busy": `
				timerwheel_due{L}              3x80
				timerwheel_handlers_running{L} 1x80
				timerwheel_max_workers{L}      4x80
				timerwheel_due{job="app", instance="host:1", wheel="other"} 0x80
				timerwheel_handlers_running{job="app", instance="host:1", wheel="other"} 4x80
				timerwheel_max_workers{job="app", instance="host:1", wheel="other"} 4x80`,
		},
	},
	{
		alert: "TimerwheelLate",
		trouble: `
			timerwheel_lateness_seconds_bucket{L, le="0.065535999"} 0+98x80
			timerwheel_lateness_seconds_bucket{L, le="0.131071999"} 0+98x80
			timerwheel_lateness_seconds_bucket{L, le="0.262143999"} 0+100x80
			timerwheel_lateness_seconds_bucket{L, le="+Inf"}        0+100x80`,
		at:          10*time.Minute + 15*time.Second,
		description: "One of 100 handlers of host:1 begins 196.6ms or more after its deadline.",
		healthy: map[string]string{
			"one of 200 is late": `
				timerwheel_lateness_seconds_bucket{L, le="0.065535999"} 0+199x80
				timerwheel_lateness_seconds_bucket{L, le="0.262143999"} 0+200x80
				timerwheel_lateness_seconds_bucket{L, le="+Inf"}        0+200x80`,
			"all were late once": `
				timerwheel_lateness_seconds_bucket{L, le="0.065535999"} 0+100x10 1000+0x7 1000+100x60
				timerwheel_lateness_seconds_bucket{L, le="0.262143999"} 0+100x80
				timerwheel_lateness_seconds_bucket{L, le="+Inf"}        0+100x80`,
			"nothing fires": `
				timerwheel_lateness_seconds_bucket{L, le="0.065535999"} 5x80
				timerwheel_lateness_seconds_bucket{L, le="0.262143999"} 9x80
				timerwheel_lateness_seconds_bucket{L, le="+Inf"}        9x80`,
		},
	},
	{
		alert:       "TimerwheelMisused",
		trouble:     `timerwheel_misuses_total{L} 0x19 1x60`,
		at:          5 * time.Minute,
		description: "1 stale Registers, Retains or extra Frees at host:1 in 15 minutes, or with Debug, timers that were never freed. Options.OnMisuse reports where.",
		healthy: map[string]string{
			"it was long ago":          `timerwheel_misuses_total{L} 7x80`,
			"the program began again ": `timerwheel_misuses_total{L} 7x20 0x60`,
		},
	},
	{
		alert:       "TimerwheelRefuses",
		trouble:     `timerwheel_registrations_refused_total{L} 0+30x80`,
		at:          7*time.Minute + 45*time.Second, // the rate is above 1 when 150 s of 5 minutes have passed
		description: "host:1 refuses 2 registrations a second, of timers that are being deleted, shut down or stale, or because the wheel is closed.",
		healthy: map[string]string{
			"a few":   `timerwheel_registrations_refused_total{L} 0+3x80`,
			"a burst": `timerwheel_registrations_refused_total{L} 0x20 100x60`,
		},
	},
	{
		alert:       "TimerwheelHandlerStalls",
		trouble:     `timerwheel_handler_oldest_seconds{L} 0x3 8 23 38`,
		at:          75 * time.Second,
		description: "A handler of host:1 has run for 23s and occupies a worker. Options.OnStall reports its stack.",
		healthy:     map[string]string{"they end": `timerwheel_handler_oldest_seconds{L} 0 9 1 10 4 0 7 8`},
	},
	{
		alert:       "TimerwheelDeletionsWait",
		trouble:     `timerwheel_deletions_waiting{L} 0x3 2x20`,
		at:          2 * time.Minute,
		description: "2 deletions of host:1 wait, and some have waited in each scrape of the last minute. Perhaps a caller holds a lock that the handler wants.",
		healthy:     map[string]string{"they end": `timerwheel_deletions_waiting{L} 0 2 3 2 0 1 1 1 0 5 5 5 5 0`},
	},
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	tested := make(map[string]bool)
	for _, c := range troubles {
		tested[c.alert] = true
		t.Run(c.alert, func(t *testing.T) {
			at, description := fired(t, load(t, c.trouble), 20*time.Minute)
			require.Equal(t, map[string]time.Duration{c.alert: c.at}, at)
			require.Equal(t, c.description, description[c.alert])
			for name, series := range c.healthy {
				t.Run(name, func(t *testing.T) {
					at, _ := fired(t, load(t, series), 20*time.Minute)
					require.Empty(t, at)
				})
			}
		})
	}
	for _, r := range readAlerts(t) {
		require.True(t, tested[r.Alert], "%s has no test", r.Alert)
	}
}

// ---- Real wheels ----

// A server's timeouts: most are deleted, some fire, and handlers take a few milliseconds.
func healthy(w *timerwheel.Wheel) {
	for range 20 * 60 * 10 {
		t := w.AfterFunc(rand.N(30*time.Second), func() { time.Sleep(rand.N(20 * time.Millisecond)) })
		time.Sleep(100 * time.Millisecond)
		if rand.N(10) > 0 {
			t.Stop()
		}
	}
}

func TestHealthyWheelIsSilent(t *testing.T) {
	scrapes := record(t, timerwheel.Options{}, 20*time.Minute, healthy)
	at, _ := fired(t, store(t, scrapes), 20*time.Minute)
	require.Empty(t, at)
}

// For ten minutes handlers that hang occupy all workers. Then a deletion waits, there are more
// handlers than the workers can run, and code registers a timer again and again after its end.
func inTrouble(w *timerwheel.Wheel) {
	for range 2 {
		w.AfterFunc(time.Second, func() { time.Sleep(10 * time.Minute) })
	}
	slow := w.Alloc(func(timerwheel.Timer) { time.Sleep(3 * time.Minute) })
	_ = slow.Register(2 * time.Second)
	for range 100 {
		w.AfterFunc(5*time.Minute, func() {})
	}
	time.Sleep(10*time.Minute + 5*time.Second)
	go slow.DelSync()
	stale := w.AfterFunc(time.Hour, func() {})
	stale.Stop()
	_ = stale.Free()
	for range 15 * 60 * 2 {
		_ = stale.Register(time.Hour)
		w.AfterFunc(0, func() { time.Sleep(3 * time.Second) })
		time.Sleep(500 * time.Millisecond)
	}
}

func TestWheelInTroubleFiresEveryAlert(t *testing.T) {
	scrapes := record(t, timerwheel.Options{MaxWorkers: 2}, 25*time.Minute, inTrouble)
	at, _ := fired(t, store(t, scrapes), 25*time.Minute)
	for _, r := range readAlerts(t) {
		require.Contains(t, at, r.Alert)
	}
	require.Less(t, at["TimerwheelSaturated"], 5*time.Minute)
}

// ---- The file ----

func TestAlertsUseWhatIsExported(t *testing.T) {
	names := exported(t)
	for _, r := range readAlerts(t) {
		for _, s := range selectors(t, r.Expr) {
			require.Contains(t, names, s.Name, r.Alert)
		}
	}
}

// The README has a section for each alert, to which the alert leads.
func TestAlertsLeadToTheREADME(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	for _, r := range readAlerts(t) {
		require.Contains(t, string(readme), "\n### "+r.Alert+"\n")
		require.Equal(t, "https://github.com/seed76848005/timerwheel/blob/HEAD/prom/README.md#"+strings.ToLower(r.Alert),
			r.Annotations["runbook_url"])
	}
	require.Equal(t, len(readAlerts(t)), strings.Count(string(readme), "\n### "))
}
