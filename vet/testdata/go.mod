module planted

go 1.26.0

require github.com/seed76848005/timerwheel v0.1.0

replace github.com/seed76848005/timerwheel => ../..
