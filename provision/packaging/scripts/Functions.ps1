$Kept = Join-Path $env:LOCALAPPDATA 'hermes-provision\provision.pyz'

function Find-Provision {
    [OutputType([string])]
    param([string]$Named)

    $candidates = @(
        $Named,
        $Kept,
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

# Hermes' own Python, else what the launcher knows, else the PATH. Not the Microsoft Store's: it redirects %LOCALAPPDATA%.
function Find-Python {
    [OutputType([string])]
    param()

    $ask = 'import sys; print(sys.executable); print(''%d.%d'' % sys.version_info[:2])'
    $candidates = @(, @((Join-Path $env:LOCALAPPDATA 'hermes\hermes-agent\venv\Scripts\python.exe')))
    $launcher = Get-Command -Name 'py.exe' -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    foreach ($version in $Pythons) {
        if ($launcher) {
            $candidates += , @($launcher.Source, "-$version")
        }
    }
    foreach ($found in @(Get-Command -Name 'python.exe' -CommandType Application -All -ErrorAction SilentlyContinue)) {
        $candidates += , @($found.Source)
    }
    foreach ($candidate in $candidates) {
        $command = $candidate[0]
        if (-not (Test-Path -LiteralPath $command -PathType Leaf) -or $command -like '*\WindowsApps\*') {
            continue
        }
        $options = @($candidate | Select-Object -Skip 1) + @('-c', $ask)
        try {
            $said = @(& $command @options 2>$null)
        }
        catch {
            continue
        }
        if ($LASTEXITCODE -eq 0 -and $said.Count -eq 2 -and $Pythons -contains $said[1] -and $said[0] -notlike '*\WindowsApps\*') {
            return $said[0]
        }
    }
    return ''
}

function Invoke-Provision {
    [OutputType([int])]
    param([string]$Path, [string[]]$ArgumentList, [string]$InputFile)

    $command = $Path
    $arguments = $ArgumentList
    if ($Path.EndsWith('.pyz')) {
        $command = Find-Python
        if (-not $command) {
            [Console]::Error.WriteLine("hermes-provision: no Python found that runs $Path; install one of $($Pythons -join ', ') from python.org")
            return 1
        }
        $arguments = @($Path) + $ArgumentList
    }
    if ($InputFile) {
        Get-Content -LiteralPath $InputFile -Raw | & $command @arguments | Out-Host
    }
    else {
        & $command @arguments | Out-Host
    }
    return $LASTEXITCODE
}
