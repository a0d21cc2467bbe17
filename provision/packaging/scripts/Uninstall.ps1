# Ends the management of this user's Hermes: stops pulls, and marks the home as unmanaged. The user's files stay.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Kind = @KIND@
$Brought = @BROUGHT@ # 'yes': this package brought the program
$HermesHome = @HERMES_HOME@

if ($Kind -eq 'pull') {
    Unregister-ScheduledTask -TaskName 'hermes-provision-pull' -Confirm:$false -ErrorAction SilentlyContinue
    foreach ($folder in 'provision\provision', 'provision') {
        $path = Join-Path $env:LOCALAPPDATA (Join-Path $folder 'pull.json')
        Remove-Item -LiteralPath $path -ErrorAction SilentlyContinue
    }
}
if (-not $HermesHome) {
    $HermesHome = Join-Path $env:LOCALAPPDATA 'hermes'
}
foreach ($name in 'manifest.json', 'manifest.json.sig', 'receipt.json', 'receipt.json.sig') {
    Remove-Item -LiteralPath (Join-Path $HermesHome ".provision\$name") -ErrorAction SilentlyContinue
}
if ($Brought -eq 'yes') {
    foreach ($folder in (Join-Path $env:LOCALAPPDATA 'hermes-provision'), (Join-Path $env:USERPROFILE '.cache\hermes-provision')) {
        Remove-Item -LiteralPath $folder -Recurse -Force -ErrorAction SilentlyContinue
    }
}
exit 0
