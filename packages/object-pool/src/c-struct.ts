import type { Member } from './record.js';

/** The words of C23 and C++23 that a member cannot be called. */
const WORDS = new Set(
  `alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class co_await
  co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do
  double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace
  new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires restrict
  return short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try
  typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq`.split(
    /\s+/,
  ),
);

/** Whether C and C++ keep the word for themselves. */
export const isCWord = (name: string): boolean => WORDS.has(name);

/** The text of a struct that C and C++ compilers lay out as the record is, and check that they do. */
export function cStruct(name: string, members: readonly Member[], byteLength: number): string {
  const taken = new Set(members.map((member) => member.name));
  const lines = members.map((member) => {
    const { cType, cSuffix, offset } = member;
    return `  ${cType} ${cName(member.name, taken)}${cSuffix}; /* at ${offset} */`;
  });
  return [
    '#include <stdint.h>',
    '',
    `typedef struct ${name} {`,
    ...lines,
    `} ${name};`,
    `typedef char ${name}_has_${byteLength}_bytes[sizeof(struct ${name}) == ${byteLength} ? 1 : -1];`,
    '',
  ].join('\n');
}

function cName(name: string, taken: Set<string>): string {
  let free = name;
  while (isCWord(free) || (free !== name && taken.has(free))) free += '_';
  return free;
}
