# Shorthands; .ci/run is what has to pass.
.PHONY: test race lint tour check ci

test:
	go test work

race:
	go test -race work

lint:
	.ci/run format vet workcheck staticcheck

tour:
	go run ./ipcctl tour

check:
	go run ./tools/release check

ci:
	.ci/run
