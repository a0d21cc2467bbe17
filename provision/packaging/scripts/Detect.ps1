# Detection for Intune: exits 0 with a line if this user's Hermes is set up, else exits 1 and says why.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$InventoryId = @USER@
$Kind = @KIND@
$Generation = @GENERATION@
$HermesHome = @HERMES_HOME@
$StaleSeconds = @STALE@ # a last good pull that is older counts as none

function Stop-Detection {
    param([string]$Reason)

    Write-Output $Reason
    exit 1
}

try {
    if ($Kind -eq 'pull') {
        $last = $null
        foreach ($folder in 'provision\provision', 'provision') {
            $path = Join-Path $env:LOCALAPPDATA (Join-Path $folder 'pull.json')
            if (Test-Path -LiteralPath $path -PathType Leaf) {
                $last = (Get-Content -LiteralPath $path -Raw | ConvertFrom-Json).last_good
                break
            }
        }
        if ($null -eq $last) {
            Stop-Detection -Reason 'not pulling yet'
        }
        $task = Get-ScheduledTask -TaskName 'hermes-provision-pull' -ErrorAction SilentlyContinue
        if ($null -eq $task) {
            Stop-Detection -Reason 'not pulling: the scheduled task is missing'
        }
        $action = @($task.Actions)[0]
        $words = @($action.Execute.Trim('"'))
        foreach ($match in [regex]::Matches([string]$action.Arguments, '"([^"]+)"|(\S+)')) {
            $words += $match.Value.Trim('"')
        }
        foreach ($word in $words) {
            if ($word -match '^[A-Za-z]:[\\/]' -and -not (Test-Path -LiteralPath $word)) {
                Stop-Detection -Reason "not pulling: the task needs $word, which is missing"
            }
        }
        $age = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds() - [long]$last
        if ($age -gt $StaleSeconds) {
            Stop-Detection -Reason "not pulling: the last good pull was $([math]::Floor($age / 3600)) hours ago"
        }
        Write-Output 'pulling'
        exit 0
    }
    if (-not $HermesHome) {
        $HermesHome = Join-Path $env:LOCALAPPDATA 'hermes'
    }
    $manifest = Get-Content -LiteralPath (Join-Path $HermesHome '.provision\manifest.json') -Raw | ConvertFrom-Json
    if ($manifest.user -ceq $InventoryId -and [long]$manifest.generation -ge [long]$Generation) {
        Write-Output "generation $($manifest.generation)"
        exit 0
    }
    Stop-Detection -Reason 'not installed'
}
catch {
    Stop-Detection -Reason 'not installed'
}
