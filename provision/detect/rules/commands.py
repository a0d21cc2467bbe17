"""Values that commands and programs get beside a name: `set -gx NAME VALUE`, `--name N --value V`, `getenv("N") or "V"`, SQL."""

from __future__ import annotations

from provision.detect.rules.beside import ENDS, NAME, beside, each
from provision.detect.rules.pieces import ALNUM, example

_VERBS = (
    r"(?:\bset[ \t]+(?:-{1,2}[a-z]{1,10}[ \t]+){1,2}|\benv[ \t]+|\bsetenv[ \t]+|\bfastcgi_param[ \t]+|\bpass[ ]in[ \t]+"
    r"|\b(?:config|secrets?)[ \t]+set[ \t]+(?:-{1,2}[a-z-]{1,20}[ \t]+){0,3}|\bsetx[ \t]+|\bset-item[ \t]+"
    r"|\bdefaults[ \t]+write[ \t]+[\w.-]{1,80}[ \t]+|\bgit[ \t]+config[ \t]+(?:-{1,2}[a-z-]{1,20}[ \t]+){0,3}"
    r"|\b(?:hset|hmset|hsetnx|hget)[ \t]+[\w:.{}-]{1,80}[ \t]+(?:[\w:.-]{1,40}[ \t]+[\w:.@-]{1,80}[ \t]+){0,6}"
    r"|\bset[ \t]+)"
)
_VERB_WORDS = ("set -", "set env(", "set api", "set token", "set secret", "set pass", "env ", "fastcgi_param", "pass in ",
               "config set", "secret set", "secrets set", "setx", "set-item", "defaults write", "git config",
               "hset ", "hmset ", "hsetnx ")  # fmt: skip
_PROGRAMS = (
    "sqlplus ", "storepass", "keypass", "mongo ", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport", "cqlsh",
    "mysqlsh", "rdesktop", "evil-winrm", "psexec", "signtool", "certutil", "crackmapexec", "useradd ", "usermod ", "plink",
    "pscp", "psftp", "net user ", "cmdkey", " /rp ", "rar ", "ipmitool", "mosquitto_", "osql ", "isql ",
    "wpa_passphrase", "ssh-keygen ", "rabbitmqctl", "set-initial-password", "lftp ", "-pass pass:", "<<<",
    *each(("7z ", "7za ", "7zr "), ("a ", "d ", "e ", "l ", "t ", "u ", "x ")),  # `7z ` alone ends times: `10:00:07Z `
)  # fmt: skip
_PLACED = r"(?:[\w./:-]{0,60}[/:\\])?"

RULES = (
    beside(
        "command",
        "Value after the name of a secret in a setting command",
        rf"{_VERBS}[\"']?{_PLACED}(?:env\()?{NAME}[\"')]?(?:[ \t]+-{{1,2}}(?:string|body|value|b))?[ \t=\"']{{1,20}}",
        example("hermes config set AISA_API_KEY ", ALNUM, 40),
        example("set -gx AISA_API_KEY ", ALNUM, 40),
        example("ENV AISA_API_KEY ", ALNUM, 40),
        example("set env(AISA_API_KEY) ", ALNUM, 40),
        example("defaults write com.x AISA_API_KEY -string '", ALNUM, 32, "'"),
        example("gh secret set DEPLOY_TOKEN --body ", ALNUM, 32),
        example("HSET user:1 name ada password ", ALNUM, 20),
        keywords=_VERB_WORDS,
        not_found=(
            "hermes config set AISA_API_KEY your-api-key-here",
            "config set model.api_key ${AISA_API_KEY}",
            "set -gx TOKEN (cat file)",
            "ENV API_TOKEN $TOKEN",
        ),
        gate=None,
        reach=700,
    ),
    beside(
        "command-options",
        "Value of a command's option beside an option with the name of a secret",
        rf"(?:/v|-{{1,2}}(?:name|n|key|path|secret-id))[ \t=]{{1,4}}[\"']?{_PLACED}{NAME}[\"']?[ \t]{{1,4}}"
        rf"(?:[-/]{{1,2}}[\w-]{{1,20}}[ \t]{{1,4}}[\w.-]{{1,40}}"
        r"[ \t]{1,4}){0,3}(?:/d|-{1,2}(?:value|secret-string|body|string|v))[ \t=]{1,4}[\"']?",
        example("reg add HKCU\\Environment /v AISA_API_KEY /t REG_SZ /d ", ALNUM, 32, " /f"),
        example("New-ItemProperty -Path HKCU:\\Environment -Name AISA_API_KEY -Value ", ALNUM, 32),
        example("aws ssm put-parameter --name /prod/db-password --value '", ALNUM, 20, "'"),
        keywords=(" /d ", " -value", "--value", "-secret-string", "--body"),
        gate=None,
        not_found=("reg add HKCU\\x /v API_TOKEN /d %TOKEN%", "aws ssm put-parameter --name api-key --value $KEY"),
    ),
    beside(
        "fallback",
        "Value used when the variable of a secret is not set",
        rf"{NAME}[\"']?[)\]]{{0,2}}\s{{0,4}}(?:\bor\b|\|\||\?\?|\?:"
        rf"|\?\|)\s{{0,4}}[brfu]?[\"'`]",
        example('os.getenv("AISA_API_KEY") or "', ALNUM, 32, '"'),
        example('process.env.AISA_API_KEY || "', ALNUM, 32, '"'),
        example("ENV['API_TOKEN'] || '", ALNUM, 32, "'"),
        keywords=each(ENDS, ('")', "')", '"]', "']", " ||", " ??", " or", " ?:")),
        not_found=('os.getenv("API_KEY") or "your-api-key"', 'token or "none"', 'process.env.TOKEN || ""'),
    ),
    beside(
        "symbol",
        "Value of a symbol with the name of a secret, in Lisp, Clojure or Erlang",
        rf"(?:[(:'{{,]|\((?:setq|setf|def[a-z]{{0,12}}|set!|setenv)[ ]{{1,4}}'?)"
        rf"{NAME}\"?(?:[ ]{{1,4}}(?:\.[ ])?|,[ ]{{0,2}}(?:<<)?)\"",
        example('(setq openai-api-key "', ALNUM, 32, '")'),
        example('{:user "ada" :api-key "', ALNUM, 32, '"}'),
        example('(api-key . "', ALNUM, 32, '")'),
        example('{api_key, <<"', ALNUM, 32, '">>}.'),
        keywords=each(ENDS, (' "', '" "', ' . "', ', "', ',"', ', <<"', ',<<"')),
        not_found=('(setq api-key "changeme")', '(:token "string2")', '{secret, "token_2_name"}'),
        value=r"[^\s\"`<>\\]",
    ),
    beside(
        "subscript",
        "Value given to the variable of a secret in braces",
        rf"\{{[\"']?{NAME}[\"']?\}}[ ]{{0,2}}(?:\|\||//|\?\?)?=>?[ ]{{0,2}}[\"']",
        example("$ENV{AISA_API_KEY} ||= '", ALNUM, 32, "';"),
        example("$config{'db_password'} = '", ALNUM, 20, "';"),
        keywords=each(ENDS, ("}", "'}", '"}')),
        not_found=("$ENV{API_KEY} ||= 'changeme';", "$x{token} = 'token_2_name';"),
    ),
    beside(
        "fallback-in-shell",
        "Value used when the variable of a secret is not set, in a shell or a template",
        rf"\$\{{{NAME}(?::?[-=]|:)[\"']?",
        example("${AISA_API_KEY:-", ALNUM, 32, "}"),
        example('@Value("${api.key:', ALNUM, 32, '}")'),
        keywords=("${",),
        gate=r"\$\{[0-9A-Za-z_.-]{0,60}?(?:key|token|secret|password|passwd|passphrase|pwd|credentials?|auth)[\w-]{0,14}?(?::?[-=]|:)[\"']?",
        not_found=("${API_TOKEN:-none}", "${API_KEY:-$OTHER}", "${API_KEY:?not set}", "${SECRET:-}"),
        after=r"[\"']?\}",
    ),
    beside(
        "fallback-of-another",
        "Value used when the value of a secret is not given",
        rf"{NAME}[ ]{{0,2}}=[ ]{{0,2}}[\w.()\[\]]{{1,60}}[ ](?:or|\|\||\?\?)[ ][\"'`]",
        example('api_key = arguments.key or "', ALNUM, 32, '"'),
        gate=r"=[ ]{0,2}[\w.()\[\]]{1,60}[ ](?:or|\|\||\?\?)[ ][\"'`]",
        keywords=each(ENDS, (" =", "=")),
        not_found=('api_key = arguments.key or "none"', 'token = a or "default-token"'),
    ),
    beside(
        "fallback-block",
        "Value used when the variable of a secret is not set, in a block",
        rf"[\"']{NAME}[\"']\)[ \t]{{0,2}}\{{[ \t]{{0,2}}[\"']",
        example('ENV.fetch("AISA_API_KEY") { "', ALNUM, 32, '" }'),
        keywords=each(ENDS, ('") {', "') {")),
        gate=None,
        not_found=('ENV.fetch("API_KEY") { "changeme" }',),
    ),
    beside(
        "given-sql",
        "Password in a statement that sets one",
        r"(?:\bidentified[ \t]+(?:with[ \t]+[\w\"'`]{1,40}[ \t]+)?by[ \t]+|\b(?:with[ \t]+|login[ \t]+"
        r"|encrypted[ \t]+)password[ \t]*=?[ \t]*|\bset[ \t]+password"
        r"(?:[ \t(][^;\r\n]{0,60})?=[ \t]*)(?:password\()?N?[\"']",
        example("ALTER USER ada WITH PASSWORD '", ALNUM, 20, "';"),
        example("CREATE USER 'ada'@'%' IDENTIFIED BY '", ALNUM, 20, "';"),
        keywords=("identified ", "with password", "login password", "encrypted password", "set password"),
        gate=None,
        not_found=(
            "ALTER USER ada WITH PASSWORD '<password>'",
            "CREATE USER ada IDENTIFIED BY 'password'",
            "SET password_encryption = 'scram-sha-256'",
        ),
        value=r"[^\s\"'\\;]",
    ),
    beside(
        "given-option",
        "Password given to a program as an option",
        r"(?:\bcurl\b[^|;\r\n]{0,240}[ \t](?:-u|--user|-U|--proxy-user)[ \t=]{0,3}[\"']?[^\s:\"'@$]{0,80}:|\bhttps?[ \t][^"
        r"|;\r\n]{0,80}?-a[ \t]{1,3}[\"']?[^\s:\"'@$]{1,80}:"
        r"|\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^|;\r\n]{0,160}[ \t]-p|sshpass[ \t]{1,3}-p[ \t]{0,3}"
        r"|(?:docker|podman|az|helm[ \t]registry|oras|crane)[ \t]{1,3}login\b[^|;\r\n]{0,120}[ \t]-p[ \t]{1,3}|redis-cli\b[^"
        r"|;\r\n]{0,120}[ \t](?:-a|--pass)[ \t]{1,3}"
        r"|(?:un)?zip[ \t][^|;\r\n]{0,60}-P[ \t]{1,3}|ldap(?:search|modify|add|whoami|passwd)\b[^"
        r"|;\r\n]{0,160}[ \t]-w[ \t]{1,3}|-pass(?:in|out)?[ \t]pass:"
        r"|openssl[ \t]enc\b[^|;\r\n]{0,120}[ \t]-k[ \t]{1,3}|(?:smbclient|rpcclient|net)\b[^"
        r"|;\r\n]{0,120}[ \t]-U[ \t]{0,3}[\"']?[\w\\.-]{1,60}%"
        r"|freerdp\b[^|;\r\n]{0,120}[ \t]/p:|(?:sqlcmd|bcp)\b[^|;\r\n]{0,120}[ \t]-P[ \t]{0,3}"
        r"|htpasswd[ \t]{1,3}-[a-zB-Z]{0,4}b[a-zB-Z]{0,4}[ \t]{1,3}\S{1,80}[ \t]{1,3}[\w.@-]{1,60}[ \t]{1,3}"
        r"|security[ \t]{1,3}add-(?:generic|internet)-password\b[^|;\r\n]{0,160}[ \t]-w[ \t]{1,3}|net[ \t]use\b[^"
        r"|;\r\n]{0,120}/user:\S{1,60}[ \t]{1,3})[\"']?",
        example("curl -s -u ada:", ALNUM, 16, " https://gateway.example"),
        example("mysql -u root -p", ALNUM, 16, " db"),
        example("sshpass -p ", ALNUM, 16, " ssh ada@host"),
        example("docker login -u ada -p ", ALNUM, 24, " r.example"),
        keywords=(
            "curl ",
            "http -a",
            "https -a",
            "mysql",
            "mariadb",
            "sshpass",
            "docker login",
            "podman login",
            "az login",
            "registry login",
            "oras login",
            "crane login",
            "redis-cli",
            "zip -p",
            "ldap",
            "pass:",
            "openssl enc",
            "smbclient",
            "rpcclient",
            "freerdp",
            "sqlcmd",
            "htpasswd",
            "-password ",
            "net use",
            "bcp ",
        ),
        not_found=(
            "curl -u ada:$PASSWORD https://h",
            "mysql -u root -p db",
            "curl -u user:password h",
            "docker login -u ada --password-stdin",
        ),
        value=r"[^\s\"'`<>|;&\\]",
        reach=700,
    ),
    beside(
        "given-program",
        "Password given to another program as an option or argument",
        r"(?:\bsqlplus\b[^|;\r\n@/]{0,60}[ \t][\"']?[\w$#]{1,40}/|-(?:store|key|src|dest)(?:store)?pass[ \t=]{1,4}"
        r"|\b(?:mongo(?:sh|dump|restore|export|import|stat)?|cqlsh|mysqlsh|rdesktop|evil-winrm|psexec(?:64)?(?:\.exe)?|signtool(?:\.exe)?"
        r"|certutil(?:\.exe)?|crackmapexec|useradd|usermod)\b[^|;\r\n]{0,200}[ \t](?:-p|/p)[ \t]{1,3}"
        r"|\b(?:plink|pscp|psftp|putty|kitty)(?:\.exe)?\b[^|;\r\n]{0,160}[ \t]-pw[ \t]{1,3}"
        r"|\bnet1?(?:\.exe)?[ \t]{1,3}user[ \t]{1,3}[\w.$\"-]{1,40}[ \t]{1,3}|\bcmdkey\b[^\r\n]{0,160}/pass:|[ \t]/rp[ \t]{1,3}"
        r"|\b7z[ar]?[ \t][^|;\r\n]{0,120}[ \t]-p|\b(?:rar|unrar)[ \t][^|;\r\n]{0,120}[ \t]-h?p"
        r"|\b(?:ipmitool|mosquitto_(?:pub|sub)|isql|osql|tsql)\b[^|;\r\n]{0,160}[ \t]-P[ \t]{1,3}"
        r"|\bmosquitto_passwd\b[^|;\r\n]{0,60}-b[ \t]{1,3}\S{1,80}[ \t]{1,3}[\w.@-]{1,40}[ \t]{1,3}"
        r"|\bwpa_passphrase[ \t]{1,3}[\w.\"'-]{1,40}[ \t]{1,3}|\bssh-keygen\b[^|;\r\n]{0,160}[ \t]-[NP][ \t]{1,3}"
        r"|\brabbitmqctl\b[^|;\r\n]{0,60}(?:add_user|change_password)[ \t]{1,3}[\w.@-]{1,40}[ \t]{1,3}"
        r"|\bset-initial-password[ \t]{1,3}|\blftp\b[^|;\r\n]{0,80}[ \t]-u[ \t]{1,3}[\w.@-]{1,60},"
        r"|--(?:ks|key|new-ks)-pass[ \t]{1,3}pass:|(?:sudo[ \t]{1,3}-S|--password-stdin|--passphrase-fd[ ]0|cryptsetup)"
        r"[^|;\r\n]{0,120}<<<[ \t]?)[\"']?",
        example("sqlplus scott/", ALNUM, 14, "@db"),
        example("keytool -genkey -storepass ", ALNUM, 14, " -alias a"),
        example("mongosh db --username ada -p ", ALNUM, 14),
        example("plink -ssh ada@h -pw ", ALNUM, 14, " ls"),
        example("net user ada ", ALNUM, 14, " /add"),
        example("sudo -S true <<< '", ALNUM, 14, "'"),
        keywords=_PROGRAMS,
        gate=None,
        not_found=(
            "sqlplus scott/$PASSWORD@db",
            "keytool -storepass changeit",
            "mongosh -p",
            "net user ada /delete",
            "ssh-keygen -t ed25519 -N ''",
        ),
        value=r"[^\s\"'`<>|;&@\\]",
        reach=700,
    ),
    beside(
        "given-redis",
        "Password of Redis",
        r"(?:\b(?:requirepass|masterauth|tls-key-file-pass)[ \t]{1,4}[\"']?|\"auth\"[ \t]{1,2}"
        r"(?:\"[\w.-]{1,40}\"[ \t]{1,2})?\"|\bauth\r?\n\$\d{1,4}\r?\n"
        r"|\"h?m?set(?:nx)?\"[ \t](?:\"[^\"\r\n]{0,80}\"[ \t]){1,7}?\"(?:[\w.-]{0,40}(?:password|passwd|secret|token|api_?key"
        r"|apikey))\"[ \t]\")",
        example("requirepass ", ALNUM, 24),
        example('1718.1 [0 10.0.0.1:1] "AUTH" "', ALNUM, 24, '"'),
        example("*2\r\n$4\r\nAUTH\r\n$24\r\n", ALNUM, 24, "\r\n"),
        keywords=("requirepass", "masterauth", '"auth"', "auth\r\n", "auth\n", 'set" "'),
        reach=860,
        not_found=("# requirepass foobared", 'requirepass ""', '"AUTH" "<password>"'),
    ),
    beside(
        "numbered",
        "Value in the line after the name of a secret in a numbered list, as redis-cli prints it",
        rf"\d{{1,6}}\)[ ]\"{NAME}\"\r?\n[ \t]{{0,8}}\d{{1,6}}\)[ ]\"",
        example('3) "api_key"\n4) "', ALNUM, 24, '"\n'),
        gate=r"\"\r?\n[ \t]{0,8}\d{1,6}\)[ ]\"",
        keywords=each(ENDS, ('"\n', '"\r\n')),
        not_found=('1) "token"\n2) "string2"\n', '1) "password"\n2) "${PASSWORD}"\n'),
        value=r"[^\s\"\\]",
    ),
    beside(
        "given-auth",
        "Password in Redis' AUTH or FTP's PASS",
        r"(?-i:AUTH|PASS)[ \t]{1,2}(?:[\w.-]{1,40}[ \t]{1,2})?",
        example("\nAUTH ", ALNUM, 24),
        example("\nPASS ", ALNUM, 16, "\r\n"),
        start=r"^(?-i:(?:[\w.:\[\]-]{1,60}>)?[> \t]{0,4})",
        after=r"[ \t]*\r?$",
        keywords=("\nauth ", "\npass ", "> auth ", "> pass "),
        not_found=("AUTH LOGIN", "PASS\n", "PASS: test"),
    ),
)
