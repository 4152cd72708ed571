//go:build !linux

package main

import "context"

func fillPageLists(context.Context) {}
