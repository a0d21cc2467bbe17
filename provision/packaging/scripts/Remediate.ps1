# Remediation for Intune: pulls once and installs the timer again, with the feed address that this user's machine remembers.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$InventoryId = @USER@
$Every = @EVERY@
$Pythons = @(@PYTHONS@)

@FUNCTIONS@
$provision = Find-Provision -Named $env:HERMES_PROVISION
if (-not $provision) {
    Write-Output 'provision is not installed here: assign the app to this user again'
    exit 1
}
$code = Invoke-Provision -Path $provision -ArgumentList @('pull', '--user', $InventoryId, '--every', $Every, '--install-timer')
Write-Output "provision pull exited with $code"
exit $code
