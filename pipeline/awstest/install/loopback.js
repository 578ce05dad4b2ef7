// Loaded before a server that can only listen on all interfaces (node -r): it
// then listens on loopback.
const net = require('net')
const listen = net.Server.prototype.listen

net.Server.prototype.listen = function (...args) {
	const first = args[0]
	if (first !== null && typeof first === 'object' && first.port !== undefined) {
		args[0] = { ...first, host: '127.0.0.1' }
	} else if (typeof first === 'number' || /^\d+$/.test(first)) {
		if (typeof args[1] === 'string') args[1] = '127.0.0.1'
		else args.splice(1, 0, '127.0.0.1')
	}
	return listen.apply(this, args)
}
