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
$Pythons = @(@PYTHONS@)
$Payload = Split-Path -Parent $MyInvocation.MyCommand.Path

@FUNCTIONS@
# Intune deletes the folder of this script: the program goes to a place that stays.
$shipped = Join-Path $Payload 'provision.pyz'
if (Test-Path -LiteralPath $shipped -PathType Leaf) {
    $null = New-Item -ItemType Directory -Force -Path (Split-Path -Parent $Kept)
    Copy-Item -LiteralPath $shipped -Destination "$Kept.new" -Force
    Move-Item -LiteralPath "$Kept.new" -Destination $Kept -Force
}
$provision = Find-Provision -Named $Program
if (-not $provision) {
    [Console]::Error.WriteLine('hermes-provision: provision is not installed here: build the package with --zipapp FILE, or install provision for this user')
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
