module github.com/seed76848005/timerwheel/integrations/k8sclock/workqueue

go 1.26.0

replace (
	github.com/seed76848005/timerwheel => ../../..
	github.com/seed76848005/timerwheel/integrations/k8sclock => ..
)

require (
	github.com/seed76848005/timerwheel v0.1.0
	github.com/seed76848005/timerwheel/integrations/k8sclock v0.1.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
	k8s.io/client-go v0.37.2
	k8s.io/utils v0.0.0-20260626114624-be93311217bd
)

require (
	github.com/go-logr/logr v1.4.3 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/time v0.15.0 // indirect
	k8s.io/apimachinery v0.37.2 // indirect
	k8s.io/klog/v2 v2.140.0 // indirect
)
