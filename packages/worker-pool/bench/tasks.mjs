// What all contenders run.
export default function trivial(value) {
  return value;
}

/** So many rounds of arithmetic: how long that is does not depend on who else has the processor meanwhile. */
export function work(rounds) {
  let mixed = 1;
  for (let i = 0; i < rounds; i++) mixed = Math.imul(mixed ^ i, 0x9e3779b1);
  return mixed;
}
