//go:build !linux

package main

func fillPageLists() {}
