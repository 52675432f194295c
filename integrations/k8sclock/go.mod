module github.com/seed76848005/timerwheel/integrations/k8sclock

go 1.25.0

replace github.com/seed76848005/timerwheel => ../..

require (
	github.com/seed76848005/timerwheel v0.1.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
	k8s.io/utils v0.0.0-20260626114624-be93311217bd
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
