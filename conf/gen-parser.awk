# Assembles the grammar fragments (*.Y) of all modules.
#
#   awk -v out=parser   -f gen-parser.awk FRAGMENT...    the bison grammar
#   awk -v out=keywords -f gen-parser.awk FRAGMENT...    C initialisers { "word", T_WORD, soft }, sorted
#   awk -v out=commands -f gen-parser.awk FRAGMENT...    COMMAND("words", "arguments", "help")
#
# A fragment is divided by lines "%section NAME":
#   includes       C text for the top of the parser
#   keywords       words, reserved in configurations and commands
#   soft keywords  words that mean something only where the grammar says so, and are names elsewhere
#   declarations   bison declarations
#   rules          bison rules; a nonterminal may get more alternatives from other fragments
#   code           C text for the end of the parser
#   commands       lines "words | arguments | help" for the clients

function fatal(text) { print FILENAME ":" FNR ": " text > "/dev/stderr"; failed = 1; exit 1 }
function token(word) { return toupper(word) }

FNR == 1 { section = "" }

/^%section / {
  section = substr($0, 10)
  if (section !~ /^(includes|keywords|soft keywords|declarations|rules|code|commands)$/)
    fatal("unknown section '" section "'")
  next
}

section == "" { next }

section == "keywords" || section == "soft keywords" {
  for (i = 1; i <= NF; i++) {
    if (!($i in keyword))
      words[++nwords] = $i
    # A word that one module reserves is reserved.
    if (section == "keywords" || !($i in keyword))
      keyword[$i] = section
  }
  next
}

section == "commands" {
  if (NF) {
    gsub(/\\\|/, "\001") # an escaped bar belongs to the text
    n = split($0, part, / *\| */)
    if (n != 3)
      fatal("a command line has three parts")
    for (i = 1; i <= 3; i++) {
      gsub(/"/, "\\\"", part[i])
      gsub(/\001/, "|", part[i])
    }
    commands[++ncommands] = "COMMAND(\"" part[1] "\", \"" part[2] "\", \"" part[3] "\")"
  }
  next
}

{ text[section] = text[section] $0 "\n" }

function sort(list, n,   i, j, v) {
  for (i = 2; i <= n; i++) {
    v = list[i]
    for (j = i - 1; j > 0 && list[j] > v; j--)
      list[j + 1] = list[j]
    list[j + 1] = v
  }
}

END {
  if (failed)
    exit 1
  if (out == "keywords") {
    sort(words, nwords)
    for (i = 1; i <= nwords; i++)
      print "{ \"" words[i] "\", T_" token(words[i]) ", " (keyword[words[i]] == "soft keywords" ? "true" : "false") " },"
  } else if (out == "commands") {
    sort(commands, ncommands)
    for (i = 1; i <= ncommands; i++)
      print commands[i]
  } else {
    print "%code {\n" text["includes"] "}"
    print text["declarations"]
    for (i = 1; i <= nwords; i++)
      print "%token " token(words[i]) " \"" words[i] "\""
    print "%type <text> soft_keyword"
    print "%%"
    print text["rules"]
    sep = "soft_keyword:"
    for (i = 1; i <= nwords; i++)
      if (keyword[words[i]] == "soft keywords") {
        print sep " " token(words[i]) " { $$ = \"" words[i] "\"; }"
        sep = " |"
      }
    if (sep != " |")
      print "soft_keyword: NEVER { $$ = NULL; }"
    print ";\n%%"
    print text["code"]
  }
}
