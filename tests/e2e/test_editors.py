"""What is generated for shells and editors, in the shells themselves."""
import os
import re
import shutil
import subprocess

from lib import PROGRAM, Case, run


class Shell(Case):
    def page(self, form):
        name = self.path("page." + form)
        with open(name, "w", encoding="utf-8") as f:
            f.write(self.run_to_end("options", "--format", form).out())
        return name

    def program(self, name):
        found = shutil.which(name)
        if not found:
            self.skipTest("%s is not installed" % name)
        return found


class Pages(Shell):
    def test_formats(self):
        self.assertEqual(self.run_to_end("options", "--format", "text").out(), self.run_to_end("options").out())
        self.assertRegex(self.run_to_end("options", "--format", "csv", code=2).log(), "error: --format is one of text lua man bash zsh fish, not \"csv\"")
        self.assertRegex(self.run_to_end("options", "--format", code=2).log(), "error: --format wants a value")
        self.assertRegex(self.run_to_end("options", "slot", "--format", "man", code=2).log(), "error: --format man is a page of all options: take \"slot\" out")
        self.assertRegex(self.run_to_end("check", "x.lua", "--format", "man", code=2).log(), "error: an option does not go with \"check\"")
        self.assertRegex(self.run_to_end("x.lua", "--log-format", "xml", code=2).log(), "error: --log-format is one of text json, not \"xml\"")

    def test_usage_names_what_a_command_takes(self):
        for command in ("run", "check", "print", "test", "options"):
            text = self.run_to_end(command, "--help").out()
            usage, own = text.split("\n")[0], text.split("\neverywhere:")[0].split("\n", 1)[1]
            self.assertEqual(sorted(re.findall(r"\[(--?[\w-]+)", usage)), sorted(re.findall(r"^  (--?[\w-]+)", own, re.M)), command)

    def test_manual(self):
        man = self.page("man")
        p = subprocess.run([self.program("groff"), "-man", "-Tutf8", "-ww", man], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", check=True)
        self.assertEqual(p.stderr, "")
        text = re.sub(r".\x08|\x1b\[[0-9;]*m", "", p.stdout)
        for part in ("NAME", "SYNOPSIS", "COMMANDS", "OPTIONS", "EXIT STATUS"):
            self.assertRegex(text, r"(?m)^%s$" % part)
        self.assertRegex(text, r"(?m)^ +list_sync check SCRIPT \[--offline\]")
        self.assertRegex(text, r"(?m)^ +-n N +Ends after N rows\. \(print\)$")
        self.assertIn(r'newline ("\n" | "\r\n"; default: "\n")', re.sub(r"\s+", " ", text))
        self.assertIn("a backslash makes the next character literal", re.sub(r"\s+", " ", re.sub("\u2010\n *", "", text)))

    def test_annotations_are_lua(self):
        self.assertIn("BYTECODE", run([self.program("luajit"), "-bl", self.page("lua")]))

    def test_install(self):
        """What is installed, and where shells, man and editors look for it."""
        build, to = os.path.dirname(PROGRAM), self.path("to")
        run(["cmake", "--install", build, "--prefix", to])
        got = sorted(os.path.relpath(os.path.join(folder, name), to) for folder, _, names in os.walk(to) for name in names)
        self.assertEqual(got, ["bin/list_sync", "share/bash-completion/completions/list_sync", "share/fish/vendor_completions.d/list_sync.fish",
                               "share/list_sync/change.proto", "share/list_sync/meta/list_sync.lua", "share/man/man1/list_sync.1", "share/zsh/site-functions/_list_sync"])


class Bash(Shell):
    def complete(self, *words):
        """What bash offers for the last word."""
        words = ("list_sync",) + words
        script = 'source "$1"; shift; COMP_CWORD=$1; shift; COMP_WORDS=("$@"); _list_sync; printf "%s\\n" "${COMPREPLY[@]}"'
        out = run(["bash", "--norc", "-c", script, "bash", self.completion, str(len(words) - 1)] + list(words), cwd=self.dir)
        return sorted(line for line in out.split("\n") if line)

    def test_bash(self):
        self.completion = self.page("bash")
        for name in ("one.lua", "two words.lua", "other.txt"):
            open(self.path(name), "w").close()
        os.mkdir(self.path("folder"))
        everywhere = ["--help", "--log-format", "--version", "-h", "-q", "-v"]
        scripts = ["folder", "one.lua", "two words.lua"]
        for words, want in (
                (("",), ["check", "options", "position", "print", "run", "test"] + scripts),
                (("pr",), ["print"]),
                (("position", ""), ["drop", "set", "show"]),
                (("position", "show", ""), scripts),
                (("position", "show", "one.lua", ""), []),
                (("position", "drop", "one.lua", "x", "--s"), ["--set", "--slot"]),
                (("o",), ["one.lua", "options"]),
                (("check", ""), scripts),
                (("check", "-v", "tw"), ["two words.lua"]),
                (("check", "one.lua", ""), []),
                (("one.lua", ""), []),
                (("one.lua", "--u"), ["--until-caught-up"]),
                (("check", "one.lua", "--o"), ["--offline", "--only"]),
                (("check", "-"), sorted(everywhere + ["--offline", "--only", "--set"])),
                (("-",), sorted(everywhere)),
                (("print", "--until"), []),
                (("one.lua", "--log-format", ""), ["json", "text"]),
                (("one.lua", "--log-format", "=", "j"), ["json"]),
                (("one.lua", "--log-format", "="), ["json", "text"]),
                (("one.lua", "--set", ""), []),
                (("--only", "check", "pr"), ["print"]),
                (("--set", "a", "=", "b", "ch"), ["check"]),
                (("options", "slo"), ["slot"]),
                (("options", "csv"), ["csv_writer"]),
                (("options", "--format", "zs"), ["zsh"]),
                (("options", "slot", ""), [])):
            self.assertEqual(self.complete(*words), sorted(want), words)

    def test_it_is_loaded_by_eval(self):
        self.assertRegex(run(["bash", "--norc", "-c", 'eval "$("$0" options --format bash)"; complete -p list_sync', PROGRAM]), "-F _list_sync list_sync")


class Others(Shell):
    def test_zsh(self):
        zsh, page = self.program("zsh"), self.page("zsh")
        run([zsh, "-f", "-n", page])
        out = run([zsh, "-f", "-c", 'autoload -Uz compinit; compinit -u -D; source "$1"; print "$_comps[list_sync]"', "zsh", page])
        self.assertEqual(out, "_list_sync\n")

    def test_fish(self):
        fish, page = self.program("fish"), self.page("fish")
        run([fish, "-n", page])
        env = {"HOME": self.dir}

        def complete(line):
            out = run([fish, "--no-config", "-c", 'source $argv[1]; complete -C $argv[2]', page, line], cwd=self.dir, env=env)
            return sorted(entry.split("\t")[0] for entry in out.split("\n") if entry)
        open(self.path("one.lua"), "w").close()
        self.assertEqual(complete("list_sync ch"), ["check"])
        self.assertEqual(complete("list_sync check on"), ["one.lua"])
        self.assertEqual(complete("list_sync check --o"), ["--offline", "--only"])
        self.assertEqual(complete("list_sync one.lua --u"), ["--until-caught-up"])
        self.assertEqual(complete("list_sync print --u"), [])
        self.assertEqual(complete("list_sync --log-format "), ["json", "text"])
        self.assertEqual(complete("list_sync options slo"), ["slot"])
