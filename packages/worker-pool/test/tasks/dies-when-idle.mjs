// Loads, and ends soon after, whatever it is given.
export default (value) => value;
setTimeout(() => process.exit(5), 50);
