module planted

go 1.26.0

require github.com/seed76848005/timerwheel v0.0.0

replace github.com/seed76848005/timerwheel => ../..
