package model

func put(id uint8) do         { return do{Put, [maxPack]uint8{id}} }
func putLarge(id uint8) do    { return do{PutLarge, [maxPack]uint8{id}} }
func putMany(ids ...uint8) do { return do{PutMany, [maxPack]uint8(append(ids, 0, 0)[:maxPack])} }

var (
	get        = do{op: Get}
	getMany    = do{op: GetMany}
	lease      = do{op: Lease}
	ack        = do{op: Ack}
	nack       = do{op: Nack}
	closeWrite = do{op: Close}
	reap       = do{op: Reap}
	join       = do{op: Join}
	leave      = do{op: Leave}
)

// small configurations are explored under -short and with every mutant, in
// this order; the checks that run processes alone start from every state.
var small = []config{
	{name: "put-get", cap: 1, crashes: 2, procs: [][]do{
		{put(1), put(2)}, {get, get}, {reap, reap}}},
	{name: "put-lease", cap: 1, crashes: 2, procs: [][]do{
		{put(1), put(2)}, {lease, ack, lease, nack}, {reap, reap}}},
	{name: "large", cap: 2, crashes: 2, chunks: 2, need: 2, procs: [][]do{
		{putLarge(1), putLarge(2)}, {get, get}, {reap, reap}}},
	{name: "large-lease", cap: 2, crashes: 2, chunks: 2, need: 1, procs: [][]do{
		{putLarge(1), putLarge(2)}, {lease, ack, lease, nack}, {reap}}},
	{name: "packed", cap: 1, crashes: 2, procs: [][]do{
		{putMany(1, 2, 3)}, {getMany, get}, {reap}, {reap}}},
	{name: "packed-reuse", cap: 1, procs: [][]do{
		{putMany(1, 2)}, {get}, {get, put(3)}}},
	{name: "high", cap: 1, crashes: 2, posBits: 1, procs: [][]do{
		{put(1), put(2)}, {get, lease, nack}, {reap, reap}}},
	{name: "close-lease", cap: 1, procs: [][]do{
		{put(1), closeWrite}, {lease, nack, get}, {lease, ack, get}}},
	{name: "sleep-empty", cap: 2, sleep: true, procs: [][]do{
		{put(1), put(2)}, {get}, {get}}},
	{name: "sleep-full", cap: 1, sleep: true, procs: [][]do{
		{put(1)}, {put(2)}, {get, get}}},
	{name: "sleep-packed", cap: 1, sleep: true, procs: [][]do{
		{putMany(1, 2)}, {get}, {get}}},
	{name: "sleep-close", cap: 1, sleep: true, procs: [][]do{
		{put(1), get, closeWrite, get}, {lease, ack}}},
	{name: "close-put", cap: 1, crashes: 1, procs: [][]do{
		{put(1), closeWrite}, {put(2)}, {get, get}, {reap}}},
	{name: "high-race", cap: 1, crashes: 1, posBits: 1, procs: [][]do{
		{put(1), get, put(2), get, put(3)}, {get, get}, {reap}}},
}

// medium configurations are explored in every test run that is not -short.
var medium = []config{
	{name: "put-get-2x1", cap: 1, crashes: 1, room: true, procs: [][]do{
		{put(1)}, {put(2)}, {get, get}, {reap}}},
	{name: "put-get-1x2", cap: 1, crashes: 2, procs: [][]do{
		{put(1), put(2)}, {get}, {get}, {reap}}},
	{name: "put-get-2x2", cap: 1, crashes: 1, room: true, procs: [][]do{
		{put(1)}, {put(2)}, {get}, {get}, {reap}}},
	{name: "put-get-join", cap: 2, crashes: 1, room: true, procs: [][]do{
		{put(1), put(2), put(3)}, {get, get, get}, {join, put(4), get}}},
	{name: "leave", cap: 1, crashes: 2, procs: [][]do{
		{put(1), leave}, {get, leave}, {join, put(2), get, leave}, {join, get}}},
	{name: "hints", cap: 2, crashes: 1, hurry: 1, procs: [][]do{
		{put(1), put(2), put(3), put(4)}, {get, get, put(5)}, {join, get, put(6), get}}},
	{name: "lease-1x2", cap: 1, crashes: 2, room: true, procs: [][]do{
		{put(1)}, {lease, nack}, {lease, ack}, {reap}, {reap}}},
	{name: "packed-1x2", cap: 1, crashes: 1, procs: [][]do{
		{putMany(1, 2), put(3)}, {get, get}, {getMany}, {reap}}},
	{name: "packed-lease", cap: 1, crashes: 1, procs: [][]do{
		{putMany(1, 2), put(3)}, {lease, ack, lease, nack}, {getMany}, {reap}}},
	{name: "large-1x2", cap: 1, crashes: 2, room: true, chunks: 2, need: 2, procs: [][]do{
		{putLarge(1), putLarge(2)}, {lease, ack}, {lease, nack, get}, {reap}}},
	{name: "sleep-crash", cap: 1, crashes: 1, sleep: true, procs: [][]do{
		{put(1), put(2)}, {get, lease, nack}, {reap}}},
	{name: "sleep-close-lease", cap: 1, sleep: true, procs: [][]do{
		{put(1), closeWrite}, {lease, ack, get}, {lease, ack}}},
	{name: "close-crash", cap: 1, crashes: 1, room: true, procs: [][]do{
		{put(1), closeWrite}, {lease, nack, get}, {lease, ack, get}, {reap}}},
}

// large configurations are explored with -long only.
var large = []config{
	{name: "put-get-2x2-2", cap: 1, crashes: 2, procs: [][]do{
		{put(1)}, {put(2)}, {get}, {get}, {reap}}},
	{name: "put-get-2x2-cap2", cap: 2, crashes: 1, procs: [][]do{
		{put(1), put(2)}, {put(3)}, {get, get}, {get}, {reap}}},
	{name: "put-get-2x1-join", cap: 2, crashes: 2, procs: [][]do{
		{put(1), put(2)}, {put(3), put(4)}, {get, get, get}, {join, get, put(5)}}},
	{name: "put-get-1x2-cap3", cap: 3, crashes: 2, procs: [][]do{
		{put(1), put(2), put(3), put(4)}, {get, get}, {get, get}, {reap, reap}}},
	{name: "lease-1x2-2", cap: 1, crashes: 2, procs: [][]do{
		{put(1), put(2)}, {lease, nack, lease, ack}, {lease, ack, get}, {reap, reap}}},
	{name: "lease-2x2", cap: 1, crashes: 2, procs: [][]do{
		{put(1)}, {put(2)}, {lease, nack}, {lease, ack}, {reap}}},
	{name: "lease-3-crashes", cap: 1, crashes: 3, procs: [][]do{
		{put(1)}, {lease, nack}, {lease, ack}, {reap}, {reap}}},
	{name: "packed-1x2-2", cap: 1, crashes: 2, procs: [][]do{
		{putMany(1, 2, 3), put(4)}, {get, getMany}, {getMany, get}, {reap, reap}}},
	{name: "packed-2x2", cap: 1, crashes: 1, procs: [][]do{
		{putMany(1, 2)}, {put(3)}, {get, get}, {getMany, put(4)}, {reap}}},
	{name: "packed-lease-2", cap: 1, crashes: 2, procs: [][]do{
		{putMany(1, 2), put(3)}, {lease, ack, lease, nack}, {get, lease, nack}, {reap, reap}}},
	{name: "large-2x1", cap: 2, crashes: 2, chunks: 3, need: 2, procs: [][]do{
		{putLarge(1)}, {putLarge(2), put(3)}, {get, lease, nack, lease, ack}, {reap, reap}}},
	{name: "mixture", cap: 2, crashes: 1, chunks: 2, need: 1, procs: [][]do{
		{putMany(1, 2), put(3)}, {putLarge(4)}, {get, lease, nack, getMany}, {reap}}},
	{name: "mixture-1x2", cap: 1, crashes: 1, chunks: 1, need: 1, procs: [][]do{
		{putMany(1, 2), putLarge(3), put(4)}, {get, lease, nack}, {getMany, lease, ack}, {reap}}},
	{name: "mixture-2x2", cap: 2, crashes: 1, chunks: 1, need: 1, procs: [][]do{
		{putMany(1, 2)}, {putLarge(3)}, {lease, nack}, {get, get}, {reap}}},
	{name: "put-get-2x2-3", cap: 1, crashes: 3, procs: [][]do{
		{put(1)}, {put(2)}, {get}, {get}, {reap, reap}}},
	{name: "put-get-2x2-cap2-2", cap: 2, crashes: 2, procs: [][]do{
		{put(1), put(2)}, {put(3)}, {get, get}, {get}, {reap}}},
	{name: "put-get-2x2-4", cap: 2, crashes: 1, procs: [][]do{
		{put(1), put(2)}, {put(3), put(4)}, {get, get}, {get, get}, {reap}}},
	{name: "close-2x2", cap: 1, crashes: 1, procs: [][]do{
		{put(1), closeWrite}, {put(2)}, {lease, nack, get}, {lease, ack, get}, {reap}}},
	{name: "sleep-2x1", cap: 1, sleep: true, procs: [][]do{
		{put(1), put(2)}, {put(3)}, {get, get, get}}},
	{name: "sleep-packed-2", cap: 1, sleep: true, procs: [][]do{
		{putMany(1, 2, 3), put(4)}, {get, get}, {get, lease, nack, get}}},
	{name: "sleep-close-2", cap: 1, sleep: true, procs: [][]do{
		{put(1), closeWrite}, {lease, nack, get}, {lease, ack, get}}},
	{name: "high-join", cap: 2, crashes: 2, posBits: 1, procs: [][]do{
		{put(1), put(2)}, {put(3)}, {get, get, lease, nack}, {join, get}}},
	{name: "high-lease-1x2", cap: 1, crashes: 2, posBits: 2, procs: [][]do{
		{put(1), put(2), put(3)}, {lease, nack, get}, {lease, ack, put(4)}, {reap, reap}}},
}
