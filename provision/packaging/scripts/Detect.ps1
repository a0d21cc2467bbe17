# Detection rule for Intune: prints a line and exits 0 if this user's Hermes is set up, else exits 1 without output.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$InventoryId = @USER@
$Kind = @KIND@
$Generation = @GENERATION@
$HermesHome = @HERMES_HOME@

try {
    if ($Kind -eq 'pull') {
        foreach ($folder in 'provision\provision', 'provision') {
            $path = Join-Path $env:LOCALAPPDATA (Join-Path $folder 'pull.json')
            if (Test-Path -LiteralPath $path -PathType Leaf) {
                $state = Get-Content -LiteralPath $path -Raw | ConvertFrom-Json
                if ($null -ne $state.last_good) {
                    Write-Output 'pulling'
                    exit 0
                }
            }
        }
        exit 1
    }
    if (-not $HermesHome) {
        $HermesHome = Join-Path $env:LOCALAPPDATA 'hermes'
    }
    $manifest = Get-Content -LiteralPath (Join-Path $HermesHome '.provision\manifest.json') -Raw | ConvertFrom-Json
    if ($manifest.user -ceq $InventoryId -and [long]$manifest.generation -ge [long]$Generation) {
        Write-Output "generation $($manifest.generation)"
        exit 0
    }
    exit 1
}
catch {
    exit 1
}
