# Sets up the signed-in user's Hermes through `provision`. Written by `provision package`. Contains no secret in clear text.
# In Intune choose the install behavior "User": the settings, and the key that decrypts them, belong to the user.
[CmdletBinding()]
param(
    [string]$Program = $env:HERMES_PROVISION
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$InventoryId = @USER@
$Kind = @KIND@
$Every = @EVERY@
$Payload = Split-Path -Parent $MyInvocation.MyCommand.Path

function Find-Provision {
    [OutputType([string])]
    param([string]$Named)

    $candidates = @(
        $Named,
        (Join-Path $Payload 'provision.pyz'),
        (Join-Path $env:USERPROFILE '.local\bin\provision.exe'),
        (Join-Path $env:LOCALAPPDATA 'hermes\hermes-agent\venv\Scripts\provision.exe')
    )
    foreach ($candidate in $candidates) {
        if ($candidate -and (Test-Path -LiteralPath $candidate -PathType Leaf)) {
            return $candidate
        }
    }
    $found = Get-Command -Name 'provision' -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($found) {
        return $found.Source
    }
    return ''
}

function Invoke-Provision {
    [OutputType([int])]
    param([string]$Path, [string[]]$ArgumentList, [string]$InputFile)

    $command = $Path
    $arguments = $ArgumentList
    if ($Path.EndsWith('.pyz')) {
        $command = 'py.exe'
        $arguments = @('-3', $Path) + $ArgumentList
    }
    if ($InputFile) {
        Get-Content -LiteralPath $InputFile -Raw | & $command @arguments | Out-Host
    }
    else {
        & $command @arguments | Out-Host
    }
    return $LASTEXITCODE
}

$provision = Find-Provision -Named $Program
if (-not $provision) {
    [Console]::Error.WriteLine('hermes-provision: provision is not installed here: build the package with --zipapp FILE, or run pipx install hermes-provision')
    exit 1
}

$signers = Join-Path $Payload 'allowed_signers'
$code = Invoke-Provision -Path $provision -ArgumentList @('enroll', '--user', $InventoryId, '--signer', $signers)
if ($code -ne 0) {
    exit $code
}
if ($Kind -eq 'bundle') {
    $bundle = Join-Path $Payload 'bundle.tar'
    $code = Invoke-Provision -Path $provision -ArgumentList @('install', '--user', $InventoryId, $bundle)
}
else {
    $address = Join-Path $Payload 'address'
    $code = Invoke-Provision -Path $provision -InputFile $address -ArgumentList @(
        'pull', '-', '--user', $InventoryId, '--every', $Every, '--install-timer'
    )
}
exit $code
