/** Completion scripts for the three shells. They hold the whole table, so that completing a word starts no program. */
import type { CommandRow, OptionRow } from './command-table.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(shell: Shell, rows: readonly CommandRow[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(rows);
    case 'zsh':
      return zshScript(rows);
    case 'fish':
      return fishScript(rows);
  }
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const flagsOf = (options: readonly OptionRow[]): string[] => options.flatMap(({ flags }) => flags);
const key = ({ path }: CommandRow): string => path.join(' ');

/** The arms of a `case` over the previous word, for options that take a value: fixed values, or files. */
function valueArms(rows: readonly CommandRow[], values: (words: string) => string, files: string): string {
  const arms = new Map<string, string>();
  for (const option of rows.flatMap(({ options }) => options)) {
    if (!option.takesValue) continue;
    const action = option.values.length === 0 ? files : values(option.values.join(' '));
    arms.set(option.flags.join('|'), `    ${option.flags.join('|')}) ${action}; return ;;`);
  }
  return [...arms.values()].join('\n');
}

/** Follows the words typed so far down the tree of commands; `$command` is then the path of the innermost one. */
function findCommand(rows: readonly CommandRow[], words: string): string {
  const known = rows.filter(({ path }) => path.length > 0).map((row) => quote(key(row)));
  return `  local command='' word
  for word in ${words}; do
    case "\${command:+$command }$word" in
      ${known.join('|')}) command="\${command:+$command }$word" ;;
    esac
  done`;
}

function wordArms(rows: readonly CommandRow[]): string {
  return rows
    .map((row) => `    ${quote(key(row))}) choices=${quote([...row.words, ...flagsOf(row.options)].join(' '))} ;;`)
    .join('\n');
}

function bashScript(rows: readonly CommandRow[]): string {
  return `# bash completion of dunnage; load it with: source <(dunnage completion bash)
_dunnage() {
  local current="\${COMP_WORDS[COMP_CWORD]}" choices=''
  COMPREPLY=()
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
${valueArms(rows, (words) => `COMPREPLY=($(compgen -W ${quote(words)} -- "$current"))`, 'compopt -o default')}
  esac
${findCommand(rows, `"\${COMP_WORDS[@]:1:COMP_CWORD-1}"`)}
  case "$command" in
${wordArms(rows)}
  esac
  COMPREPLY=($(compgen -W "$choices" -- "$current"))
}
complete -F _dunnage dunnage
`;
}

function zshScript(rows: readonly CommandRow[]): string {
  return `#compdef dunnage
# zsh completion of dunnage; load it with: source <(dunnage completion zsh)
_dunnage() {
  local -a typed=("\${(@)words[2,CURRENT-1]}")
  local choices=''
  case "\${typed[-1]}" in
${valueArms(rows, (words) => `compadd -- ${words}`, '_files')}
  esac
${findCommand(rows, `"\${typed[@]}"`)}
  case "$command" in
${wordArms(rows)}
  esac
  compadd -- \${=choices}
}
compdef _dunnage dunnage
`;
}

function fishScript(rows: readonly CommandRow[]): string {
  const lines = rows.flatMap((row) => {
    const condition = fishCondition(row, rows);
    const words = row.words.map((word) => {
      const child = rows.find(({ path }) => path.join(' ') === [...row.path, word].join(' '));
      const about = child === undefined ? '' : ` -d ${quote(child.description)}`;
      return `complete -c dunnage -f -n ${condition} -a ${quote(word)}${about}`;
    });
    return [...words, ...row.options.map((option) => fishOption(option, condition))];
  });
  return `# fish completion of dunnage; load it with: dunnage completion fish | source\n${lines.join('\n')}\n`;
}

function fishCondition({ path }: CommandRow, rows: readonly CommandRow[]): string {
  const [first, second] = path;
  if (first === undefined) return quote('__fish_use_subcommand');
  if (second === undefined) {
    const below = rows.filter((row) => row.path.length === 2 && row.path[0] === first).map((row) => row.path[1]);
    const noneBelow = below.length === 0 ? '' : `; and not __fish_seen_subcommand_from ${below.join(' ')}`;
    return quote(`__fish_seen_subcommand_from ${first}${noneBelow}`);
  }
  return quote(`__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${second}`);
}

function fishOption({ flags, description, takesValue, values }: OptionRow, condition: string): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ');
  const value = takesValue ? (values.length === 0 ? ' -r' : ` -x -a ${quote(values.join(' '))}`) : '';
  return `complete -c dunnage -n ${condition} ${names}${value} -d ${quote(description)}`;
}
