package main

// shardMutants break what holds over the shards of a wheel, which no lock guards all at once. A wheel of one
// shard does not show it.
var shardMutants = []mutant{
	{
		Name: "the search for a circle and its edge are under the shard's lock, but not under the wheel's",
		Rule: "sync_del 8",
		Edits: []edit{{"sync_del.go", `
	sh.addEdge(x, r)
	w.mu.Unlock()
`, `
	w.mu.Unlock()
	w.mu.Lock()
	sh.addEdge(x, r)
	w.mu.Unlock()
`}},
		Red: explored("mutual DelSync in two shards"),
	},
	{
		Name: "the timers of a lock stand in a line for each shard",
		Rule: "sync_del 10",
		Edits: []edit{{"lines.go", `
	if ln == nil {
		ln = w.lines.add(b.lock)
`, `
	if ln == nil || !ln.empty() && ln.ends.next.timer.shard() != sh {
		ln = w.lines.add(b.lock)
`}},
		Red: explored("a line of timers of two shards"),
	},
	{
		Name: "a shard that wake-ups pass over takes another one with it",
		Rule: "alarm.go",
		Edits: []edit{{"shard.go", `
		sh.w.occupied.And(^(uint64(1) << sh.no))
`, `
		set := sh.w.occupied.Load()
		hook.At("between the load of the set and its store")
		sh.w.occupied.Store(set &^ (uint64(1) << sh.no))
`}},
		Red: explored("a Register in one shard while the other is passed over"),
	},
	{
		Name: "a rearm looks at the first shard only",
		Rule: "alarm.go",
		Edits: []edit{{"alarm.go",
			`for set := w.occupied.Load(); set != 0; set &= set - 1 {`,
			`for set := w.occupied.Load(); set != 0; set = 0 {`}},
		Red: explored("a Register in the shard that the wheel looks at last"),
	},
	{
		Name: "a worker does not look at the other shards before it calls a handler",
		Rule: "worker.go",
		Edits: []edit{{"worker.go", `
		w.watchBubble()
	}
	wk.scan(now)
`, `
		w.watchBubble()
	}
`}},
		Red: explored("handlers of two shards wait for each other's begin"),
	},
}

func init() { mutants = append(mutants, shardMutants...) }
