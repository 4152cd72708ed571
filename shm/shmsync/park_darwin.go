//go:build darwin && !ipcportable

package shmsync

func newParker() parker { return &addressParker{pollParker: newPollParker(), wait: addressWait} }
